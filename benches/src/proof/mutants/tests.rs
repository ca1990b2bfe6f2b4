use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use super::ground::{clean_revision, failed, git, is_of, passed};
use super::patch::{Choice, Filter, Mutant};
use super::table::{self, BEGIN, END};
use super::{LEAST_PATIENCE, Verdict, row, workspace};

const PATCH: &str = "\
breaks: What was said is not.
invariant: I4
test: -p plyr-schemas --test embedded i04_

--- a/schemas/src/log.rs
+++ b/schemas/src/log.rs
@@ -1,1 +1,1 @@
-one
+two
";

fn mutants(names: &[&str]) -> Vec<Mutant> {
    let make = |name: &&str| {
        let text = PATCH.replace("log.rs", &format!("{name}.rs"));
        Mutant::read(name, &text).unwrap()
    };
    names.iter().map(make).collect()
}

#[test]
fn a_mutant_says_what_it_breaks_and_who_must_notice() {
    let mutant = Mutant::read("i04-not", PATCH).unwrap();
    assert_eq!(mutant.breaks, "What was said is not.");
    assert_eq!(mutant.invariant, "I4");
    assert_eq!(mutant.files, [PathBuf::from("schemas/src/log.rs")]);
    let Filter {
        package,
        target,
        names,
    } = &mutant.filter;
    assert_eq!((package.as_str(), names.as_str()), ("plyr-schemas", "i04_"));
    assert_eq!(target, &["--test", "embedded"]);
    let line = "-p plyr-schemas --test embedded i04_";
    assert_eq!(mutant.filter.to_string(), line);
    for without in ["breaks: ", "invariant: ", "test: ", "+++ b/"] {
        let text = PATCH.replace(without, "");
        assert!(Mutant::read("i04-not", &text).is_err(), "{without}");
    }
    for other in [
        "--workspace i04_",
        "-p plyr-schemas --lib",
        "-p a --lib b c",
    ] {
        let text = PATCH.replace(line, other);
        let told = Mutant::read("i04-not", &text).unwrap_err();
        assert!(told.contains("write it like"), "{told}");
    }
}

#[test]
fn those_that_changed_are_chosen_and_others_by_turns() {
    let all = mutants(&["a", "b", "c", "d", "e"]);
    let names = |choice: Choice<'_>| {
        let chosen = choice.of(&all).unwrap().into_iter();
        chosen.map(|mutant| mutant.name).collect::<Vec<String>>()
    };
    assert_eq!(names(Choice::default()).len(), 5);
    let asked = ["d".to_owned(), "a".to_owned()];
    let by_name = |names| Choice {
        names,
        ..Choice::default()
    };
    assert_eq!(names(by_name(&asked)), ["a", "d"]);
    assert!(by_name(&["x".to_owned()]).of(&all).is_err());
    let changed = |files: &[&str], at_most, rotation| Choice {
        changed: Some(files.iter().map(PathBuf::from).collect::<BTreeSet<_>>()),
        at_most,
        rotation,
        ..Choice::default()
    };
    let files = ["schemas/src/b.rs", "benches/mutants/d.patch", "README.md"];
    assert_eq!(names(changed(&files, 9, 0)), ["b", "d"]);
    assert_eq!(names(changed(&files, 1, 0)).len(), 1);
    assert_eq!(names(changed(&files, 9, 1)), ["a", "b", "d"]);
    assert_eq!(names(changed(&files, 9, 9)).len(), 5);
    // Turn after turn all have had theirs.
    let turn = |turn| Choice {
        rotation: 2,
        turn,
        ..Choice::default()
    };
    let turns = (0..3).flat_map(|number| names(turn(number)));
    assert_eq!(turns.collect::<BTreeSet<_>>().len(), 5);
}

#[test]
fn what_a_test_program_says_is_read() {
    let ok = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 0 ignored\n";
    assert_eq!((passed(ok), failed(ok)), (2, None));
    let bad = "running 2 tests\n\nfailures:\n\n---- a::b stdout ----\nx\n\nfailures:\n    a::b\n\n\
               test result: FAILED. 1 passed; 1 failed\n";
    assert_eq!((passed(bad), failed(bad)), (0, Some("a::b")));
}

#[test]
fn rows_replace_older_ones_and_others_stay() {
    let all = mutants(&["a", "b"]);
    let row = |name: &str, verdict: &str| format!("| {name} | I4 | {verdict} | t |");
    let empty = format!("# Proof\n{BEGIN}{END}\nmore\n");
    let before = [row("a", "survived"), row("gone", "killed")];
    let first = table::written(&empty, &all, &before, "2 in 1 s").unwrap();
    assert!(first.contains("1 mutants, 0 killed. Tried last: 2 in 1 s."));
    let then = [row("b", "killed")];
    let second = table::written(&first, &all, &then, "1 in 1 s").unwrap();
    assert!(second.starts_with("# Proof\n") && second.ends_with("\nmore\n"));
    assert!(second.contains("2 mutants, 1 killed."), "{second}");
    for kept in [row("a", "survived"), row("b", "killed")] {
        assert_eq!(second.matches(&kept).count(), 1, "{second}");
    }
    assert!(!second.contains("gone"));
    assert!(table::written("# Proof\n", &all, &then, "").is_err());
}

#[test]
fn every_mutant_applies_and_names_an_invariant() {
    let workspace = workspace();
    let all = Mutant::all(&workspace).unwrap();
    assert!(all.len() >= 45, "{}", all.len());
    let invariants = std::fs::read_to_string(workspace.join("docs/invariants.md")).unwrap();
    for mutant in all {
        let Mutant {
            name,
            invariant,
            path,
            ..
        } = &mutant;
        assert!(invariants.contains(&format!("| {invariant} |")), "{name}");
        let number: u32 = invariant.trim_start_matches('I').parse().unwrap();
        assert!(name.starts_with(&format!("i{number:02}-")), "{name}");
        let checked = Command::new("git")
            .args(["apply", "--check"])
            .arg(path)
            .current_dir(&workspace)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{name}: {said}");
    }
}

#[test]
fn what_a_companion_builds_is_not_what_was_asked_for() {
    let id = |rest: &str| format!("path+file:///somewhere/{rest}");
    assert!(is_of("plyr-indexer", &id("indexer#plyr-indexer@0.1.0")));
    assert!(!is_of("plyr-indexer", &id("ops#plyr@0.1.0")));
    assert!(is_of("plyr", &id("ops#plyr@0.1.0")));
    assert!(is_of("plyr", &id("plyr#0.1.0")));
    assert!(!is_of("plyr", &id("plyr-indexer#0.1.0")));
    assert!(!is_of("plyr", "plyr"));
}

#[test]
fn who_hung_is_named_by_the_tests_that_were_run() {
    let mutant = Mutant::read("i04-not", PATCH).unwrap();
    let hung = row(&(mutant.clone(), Verdict::TimedOut(LEAST_PATIENCE)));
    let by = "time out after 90 s: `-p plyr-schemas --test embedded i04_`";
    assert_eq!(hung, format!("| i04-not | I4 | killed | {by} |"));
    let failed = row(&(mutant, Verdict::Killed("log::tests::a_delete".to_owned())));
    assert_eq!(failed, "| i04-not | I4 | killed | a_delete |");
}

#[tokio::test]
async fn only_a_commit_has_a_revision() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let run = |words: &'static [&'static str]| async move { git(folder, words).await.unwrap() };
    run(&["init", "--quiet"]).await;
    write("code.rs", "one");
    write("table.md", "one");
    run(&["add", "."]).await;
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    let commit = ["commit", "--quiet", "--no-gpg-sign", "--message", "one"];
    let commit = [&identity[..], &commit[..]].concat();
    git(folder, &commit).await.unwrap();
    let head = run(&["rev-parse", "--short", "HEAD"]).await;
    // The table itself may differ.
    write("table.md", "two");
    let revision = clean_revision(folder, "table.md").await.unwrap();
    assert_eq!(revision, head.trim());
    for name in ["code.rs", "new.rs"] {
        write(name, "two");
        let refused = clean_revision(folder, "table.md").await.unwrap_err();
        let told = refused.to_string();
        assert!(told.starts_with(name) && told.contains("commit"), "{told}");
        write("code.rs", "one");
    }
}
