//! How the search index stands, for people. What went wrong may name files of this machine: that is
//! for `/ready` and the log.

use maud::{Markup, html};
use plyr_search::{Progress, Serving, Standing};

use super::ago;

/// The part of the page about search.
pub fn section(search: Option<&Standing>, now: i64) -> Markup {
    html! {
        h2 { "Search" }
        @match search {
            None => p { "This process keeps no search index." },
            Some(standing) => @for sentence in sentences(standing, now) { p { (sentence) } },
        }
    }
}

fn sentences(standing: &Standing, now: i64) -> Vec<String> {
    let mut sentences = Vec::new();
    match &standing.serving {
        Some(serving) => sentences.push(of_serving(serving, now)),
        None => sentences.push("No index answers yet: searches are refused.".to_owned()),
    }
    if let Some(progress) = &standing.building {
        sentences.push(of_build(progress, standing.serving.is_some()));
    }
    if let Some(failed) = &standing.failed {
        sentences.push(format!(
            "Building one failed, {} times in a row; the log says why, and it is tried again.",
            failed.times
        ));
    }
    if standing.problem.is_some() {
        let sentence = "It does not go on; the log says why, and it is tried again.";
        sentences.push(sentence.to_owned());
    }
    sentences
}

fn of_serving(serving: &Serving, now: i64) -> String {
    let documents = serving.documents;
    let mut sentence = match (serving.behind, serving.behind_since) {
        (0, _) => format!("{documents} documents can be found; they are up to date."),
        (behind, None) => format!("{documents} documents can be found; {behind} changes wait."),
        (behind, Some(since)) => format!(
            "{documents} documents can be found; {behind} changes wait, the first from {}.",
            ago(since, now)
        ),
    };
    if serving.is_outdated {
        sentence.push_str(" This index only answers until a new one is built.");
    }
    sentence
}

fn of_build(progress: &Progress, one_answers: bool) -> String {
    let Progress {
        reason, documents, ..
    } = progress;
    let meanwhile = match one_answers {
        true => "; the one before answers meanwhile",
        false => "",
    };
    let mut sentence =
        format!("A new index is being built ({reason}): {documents} documents so far{meanwhile}.");
    if progress.problem.is_some() {
        sentence.push_str(" It waits; the log says for what.");
    }
    sentence
}

#[cfg(test)]
mod tests {
    use plyr_search::FailedBuild;

    use super::*;

    const SECOND: i64 = 1_000_000;

    fn serving() -> Serving {
        Serving {
            documents: 7,
            ..Serving::default()
        }
    }

    #[test]
    fn an_index_that_answers_is_not_said_to_be_missing() {
        let mut standing = Standing {
            serving: Some(serving()),
            building: Some(Progress {
                reason: "it has version 2".to_owned(),
                documents: 3,
                problem: None,
            }),
            ..Standing::default()
        };
        let told = sentences(&standing, 0).join(" ");
        assert!(told.contains("7 documents"), "{told}");
        assert!(told.contains("the one before answers meanwhile"), "{told}");
        assert!(!told.contains("No index"), "{told}");
        standing.serving = None;
        let told = sentences(&standing, 0).join(" ");
        assert!(told.contains("No index answers yet"), "{told}");
        assert!(!told.contains("meanwhile"), "{told}");
    }

    #[test]
    fn how_far_it_is_behind_and_what_is_wrong_is_told() {
        let standing = Standing {
            serving: Some(Serving {
                behind: 4,
                behind_since: Some(10 * SECOND),
                is_outdated: true,
                ..serving()
            }),
            failed: Some(FailedBuild {
                times: 2,
                problem: "/srv/plyr is full".to_owned(),
                ..FailedBuild::default()
            }),
            problem: Some("no node answers".to_owned()),
            ..Standing::default()
        };
        let told = sentences(&standing, 15 * SECOND).join(" ");
        for part in [
            "4 changes wait, the first from 5 s ago",
            "only answers until",
            "2 times in a row",
            "It does not go on",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        for part in ["/srv", "no node"] {
            assert!(!told.contains(part), "{part}: {told}");
        }
    }
}
