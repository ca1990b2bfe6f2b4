//! What goes wrong on the labeler's stream, and that nothing is lost by it to who checks signatures
//! and comes again.

use plyr_simnet::{Faults, HostFaults, Kind, LabelFaults, Options};

use crate::asking::Subscriber;
use crate::reading::{Frame, label_key, read};
use crate::{Error, Held, Tested, answered, document, hold, last, opened, plot};

/// What a subscriber met who came again until everything was told.
#[derive(Default, PartialEq, Eq, Debug)]
struct Met {
    garbage: bool,
    twice: bool,
    back: bool,
    forged: bool,
    broken: bool,
    giant: bool,
    refused: bool,
}

/// Plays a story over a labeler with these faults, to a subscriber who checks signatures and comes
/// again; it must have everything in the end.
async fn heard(faults: Faults) -> Result<Met, Error> {
    let labelled = [(Kind::Label, 4_000), (Kind::Unlabel, 400)];
    let options = Options {
        faults,
        ..Options::default()
    };
    let (network, story) = opened(plot(6, labelled)?, options).await?;
    for act in story.take(600) {
        network.act(&act)?;
    }
    let key = label_key(&document(&network).await?)?;
    let last = last(&network);
    let (mut held, mut met, mut seen) = (Held::new(), Met::default(), 0);
    while seen < last {
        let connecting = Subscriber::connect(&network, &format!("?cursor={seen}")).await;
        let Ok(mut subscriber) = connecting else {
            met.refused = true;
            continue;
        };
        while seen < last {
            let bytes = match subscriber.bytes().await {
                Ok(bytes) => bytes,
                Err(problem) if problem.to_string().contains("too long") => {
                    met.giant = true;
                    break;
                }
                Err(_) => {
                    met.broken = true;
                    break;
                }
            };
            let Ok(Frame::Labels { seq, labels }) = read(&bytes) else {
                met.garbage = true;
                continue;
            };
            met.twice |= seq == seen;
            met.back |= seq < seen;
            for label in &labels {
                match label.check(&key) {
                    Ok(()) => hold(&mut held, label),
                    Err(_) => met.forged = true,
                }
            }
            seen = seen.max(seq);
        }
    }
    network.calm();
    assert_eq!(held, answered(&network).await?, "{met:?}");
    let mut subscriber = Subscriber::connect(&network, "?cursor=0").await?;
    let mut seen = 0;
    while seen < last {
        let frame = subscriber.frame().await?;
        let Frame::Labels { seq, labels } = frame else {
            return Err(format!("not calm: {frame:?}").into());
        };
        assert!(
            seq > seen && labels.len() == 1,
            "not calm: {seq} {labels:?}"
        );
        seen = seq;
    }
    network.stop().await;
    Ok(met)
}

#[tokio::test]
async fn each_fault_comes_alone_and_who_checks_and_comes_again_has_everything() -> Tested {
    let of = |labels: LabelFaults| Faults {
        seed: 6,
        labels,
        ..Faults::default()
    };
    let none = LabelFaults::default();
    let nothing = Met::default;
    assert_eq!(heard(of(none)).await?, nothing());
    let forges = LabelFaults { forges: 12, ..none };
    let forged = Met {
        forged: true,
        ..nothing()
    };
    assert_eq!(heard(of(forges)).await?, forged);
    let duplicates = LabelFaults {
        duplicates: 10,
        ..none
    };
    let twice = Met {
        twice: true,
        ..nothing()
    };
    assert_eq!(heard(of(duplicates)).await?, twice);
    let cuts = LabelFaults { cuts: 60, ..none };
    let broken = Met {
        broken: true,
        ..nothing()
    };
    assert_eq!(heard(of(cuts)).await?, broken);
    let garbage = LabelFaults {
        garbage: 15,
        ..none
    };
    let met_garbage = Met {
        garbage: true,
        ..nothing()
    };
    assert_eq!(heard(of(garbage)).await?, met_garbage);
    let giants = LabelFaults {
        giants: 100,
        ..none
    };
    let giant = Met {
        giant: true,
        ..nothing()
    };
    assert_eq!(heard(of(giants)).await?, giant);
    let rewinds = LabelFaults {
        rewinds: 40,
        ..none
    };
    // Who goes back comes by where it was once more.
    let back = Met {
        back: true,
        twice: true,
        ..nothing()
    };
    assert_eq!(heard(of(rewinds)).await?, back);
    let fails = HostFaults {
        fails: 2,
        ..HostFaults::default()
    };
    let refusals = Faults {
        labeler: fails,
        ..of(cuts)
    };
    let refused = Met {
        refused: true,
        broken: true,
        ..nothing()
    };
    assert_eq!(heard(refusals).await?, refused);
    Ok(())
}

#[tokio::test]
async fn all_faults_at_once_lose_nothing_either() -> Tested {
    let faults = Faults {
        seed: 6,
        labeler: HostFaults {
            fails: 4,
            ..HostFaults::default()
        },
        labels: LabelFaults {
            forges: 12,
            duplicates: 10,
            cuts: 60,
            garbage: 15,
            giants: 150,
            rewinds: 40,
            drops: 0,
        },
        ..Faults::default()
    };
    heard(faults).await?;
    Ok(())
}

#[tokio::test]
async fn what_the_stream_drops_is_still_answered() -> Tested {
    let labelled = [(Kind::Label, 4_000), (Kind::Unlabel, 0)];
    let labels = LabelFaults {
        drops: 5,
        ..LabelFaults::default()
    };
    let options = Options {
        faults: Faults {
            seed: 7,
            labels,
            ..Faults::default()
        },
        ..Options::default()
    };
    let (network, story) = opened(plot(7, labelled)?, options).await?;
    for act in story.take(300) {
        network.act(&act)?;
    }
    let all = answered(&network).await?.len();
    let mut subscriber = Subscriber::connect(&network, "?cursor=0").await?;
    let first = subscriber.seqs().await?;
    assert!(
        first.len() < all && first.len() > all / 2,
        "{} of {all}",
        first.len()
    );
    let mut another = Subscriber::connect(&network, "?cursor=0").await?;
    assert_eq!(first, another.seqs().await?, "the same for everybody");
    network.stop().await;
    Ok(())
}
