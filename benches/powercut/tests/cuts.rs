//! What a cut leaves of what a shell script did, synced and not synced.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::path::Path;
use std::process::{Command, ExitStatus};

type Tested = Result<(), Box<dyn std::error::Error>>;

const TOOL: &str = env!("CARGO_BIN_EXE_plyr-powercut");
/// The power is cut now.
const CUT: &str = "kill -USR1 $PPID; sleep 60";

/// Runs a script in a folder.
fn run(folder: &Path, script: &str, more: &[&str]) -> std::io::Result<ExitStatus> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    Command::new(TOOL)
        .arg("--folder")
        .arg(&data)
        .arg("--grave")
        .arg(folder.join("grave"))
        .arg("--report")
        .arg(folder.join("report"))
        .args(more)
        .args(["--", "sh", "-c", &format!("set -e; {script}")])
        .current_dir(&data)
        .status()
}

/// Names and contents of what is left, in order.
fn left(script: &str, more: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let status = run(folder.path(), &format!("{script}; {CUT}"), more)?;
    assert!(status.success(), "{script}: {status}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.path().join("data"))? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        let is_file = entry.file_type()?.is_file();
        let content = is_file.then(|| std::fs::read_to_string(entry.path()));
        found.push(format!(
            "{name}={}",
            content.transpose()?.unwrap_or_default()
        ));
    }
    found.sort_unstable();
    Ok(found.join(" "))
}

const OLD: &str = "printf old > f; sync f; sync .";

#[test]
fn what_was_synced_stays_and_the_rest_is_gone() -> Tested {
    let cases = [
        // A file's bytes without its name, its name without its bytes, and both.
        ("printf x > f; sync f", ""),
        ("printf x > f; sync .", "f="),
        (OLD, "f=old"),
        ("mkdir d; printf x > d/f; sync d/f; sync d", ""),
        ("mkdir d; printf x > d/f; sync d/f; sync d; sync .", "d="),
        // In place, longer, shorter, anew.
        ("printf new >> f", "f=old"),
        ("printf new | dd of=f conv=notrunc status=none", "f=old"),
        ("truncate -s 1 f", "f=old"),
        ("truncate -s 99 f", "f=old"),
        (": > f", "f=old"),
        ("printf new >> f; sync f; printf more >> f", "f=oldnew"),
        // Names.
        ("rm f", "f=old"),
        ("rm f; sync .", ""),
        ("mv f g", "f=old"),
        ("mv f g; sync .", "g=old"),
        ("printf new > g; sync g; mv g f", "f=old"),
        ("printf new > g; sync g; mv g f; sync .", "f=new"),
        ("printf new > g; mv g f; sync .", "f="),
        ("mkdir d; sync .; rmdir d", "d= f=old"),
    ];
    for (number, (script, expected)) in cases.iter().enumerate() {
        let script = match number {
            0..5 => (*script).to_owned(),
            _ => format!("{OLD}; {script}"),
        };
        assert_eq!(left(&script, &[])?, *expected, "{script}");
    }
    Ok(())
}

#[test]
fn a_kill_alone_takes_nothing_back() -> Tested {
    let script = format!("{OLD}; printf new >> f; printf x > g; mv g h");
    let kept = left(&script, &["--way", "everything"])?;
    assert_eq!(kept, "f=oldnew h=x");
    Ok(())
}

#[test]
fn the_power_is_cut_before_a_call_that_is_then_not_made() -> Tested {
    let folder = tempfile::tempdir()?;
    // Made, written, synced, its name synced; the fifth is the second write.
    let more = ["--at", "5", "--way", "everything"];
    let status = run(
        folder.path(),
        &format!("{OLD}; printf new >> f; exit 3"),
        &more,
    )?;
    assert!(status.success(), "{status}");
    let kept = std::fs::read_to_string(folder.path().join("data/f"))?;
    assert_eq!(kept, "old");
    Ok(())
}

#[test]
fn who_ends_by_himself_is_told_so_and_keeps_everything() -> Tested {
    let folder = tempfile::tempdir()?;
    let status = run(folder.path(), "printf x > f; exit 3", &[])?;
    assert_eq!(status.code(), Some(3));
    let report = std::fs::read_to_string(folder.path().join("report"))?;
    assert!(report.contains("\"cut\":false"), "{report}");
    assert!(folder.path().join("data/f").exists());
    Ok(())
}

#[test]
fn a_full_disk_takes_half_of_the_first_write_and_refuses_the_next() -> Tested {
    let folder = tempfile::tempdir()?;
    // Made and written; the third call that needs room is the second write.
    let script = "printf old > f; printf abcdef >> f || printf ' refused' >> ../told; \
                  rm f; printf new > f || printf ' twice' >> ../told; \
                  printf \"more$(cat ../told)\" > g";
    let more = ["--full-at", "3", "--full-for", "3"];
    let told = folder.path().join("told");
    std::fs::write(&told, "")?;
    let kept = folder.path().join("kept");
    let script = script.replace("rm f;", &format!("cp f {}; rm f;", kept.display()));
    let status = run(folder.path(), &script, &more)?;
    assert_eq!(status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(kept)?, "oldabc");
    // Removing needs no room; a new name does.
    assert!(!folder.path().join("data/f").exists());
    let left = std::fs::read_to_string(folder.path().join("data/g"))?;
    assert_eq!(left, "more refused twice");
    let report = std::fs::read_to_string(folder.path().join("report"))?;
    assert!(report.contains("\"refused\":2"), "{report}");
    Ok(())
}

#[test]
fn a_slow_disk_syncs_all_the_same() -> Tested {
    let more = ["--slow", "20"];
    assert_eq!(
        left("printf x > f; sync f; sync .; printf y >> f", &more)?,
        "f=x"
    );
    let folder = tempfile::tempdir()?;
    let status = run(folder.path(), "printf x > f; sync f; sync .", &more)?;
    assert!(status.success(), "{status}");
    let report = std::fs::read_to_string(folder.path().join("report"))?;
    assert!(report.contains("\"slowed\":2"), "{report}");
    Ok(())
}

#[test]
fn a_call_that_no_model_is_known_for_is_an_error() -> Tested {
    let folder = tempfile::tempdir()?;
    let status = run(folder.path(), "printf x > f; ln f g", &[])?;
    assert_eq!(status.code(), Some(70));
    Ok(())
}

/// A script that overwrites a synced page and adds two, which are not synced.
const THREE_PAGES: &str = "head -c 4096 /dev/zero | tr '\\0' a > f; sync f; sync .; \
                           head -c 12288 /dev/zero | tr '\\0' b | dd of=f bs=12288 \
                           iflag=fullblock conv=notrunc status=none";

#[test]
fn a_prefix_of_it_may_survive_torn_anywhere() -> Tested {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 1..=12 {
        let kept = left(
            THREE_PAGES,
            &["--way", "prefix", "--seed", &seed.to_string()],
        )?;
        let text = kept.trim_start_matches("f=");
        let new = text.bytes().take_while(|byte| *byte == b'b').count();
        let rest = text.get(new..).unwrap_or_default();
        assert!(rest.bytes().all(|byte| byte == b'a'), "seed {seed}");
        assert_eq!(text.len(), new.max(4_096), "seed {seed}");
        lengths.insert(new);
    }
    assert!(lengths.len() > 4, "{lengths:?}");
    Ok(())
}

#[test]
fn any_pages_of_it_may_survive() -> Tested {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..=24 {
        let kept = left(
            THREE_PAGES,
            &["--way", "pages", "--seed", &seed.to_string()],
        )?;
        let text = kept.trim_start_matches("f=").as_bytes();
        let mut word = String::new();
        for page in text.chunks(4_096) {
            assert!(page.iter().all(|byte| *byte == page[0]), "seed {seed}");
            word.push(if page[0] == 0 {
                '0'
            } else {
                char::from(page[0])
            });
        }
        seen.insert(word);
    }
    for word in ["a", "bbb", "a0b", "ab"] {
        assert!(seen.contains(word), "{word}: {seen:?}");
    }
    Ok(())
}
