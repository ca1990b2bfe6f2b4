//! `plyr` where nothing can be reached, and where it is set up wrongly.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use plyr_peers::{Plyr, wait_until};
use rustix::process::{Pid, Signal, kill_process};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

/// Hosts that refuse at once.
fn nowhere() -> Vec<String> {
    [
        "--dev",
        "--jetstream",
        "ws://127.0.0.1:1",
        "--relay-url",
        "http://127.0.0.1:1",
        "--plc-url",
        "http://127.0.0.1:1",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[tokio::test]
async fn it_is_ready_before_the_network_is_reached() -> Tested {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let plyr = Plyr::start(BINARY, &data, &nowhere()).await?;
    let (status, health) = plyr.get("/xrpc/_health").await?;
    assert_eq!(
        (status, health["version"].as_str()),
        (200, Some(env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(plyr.get("/").await?.0, 200);
    assert_eq!(
        plyr.xrpc("fm.plyr.feed.getLatest", "").await?["tracks"],
        serde_json::json!([])
    );
    wait_until("/ready names the host that can't be reached", || async {
        let ready = plyr.probe("/ready").await?;
        let log = std::fs::read_to_string(data.with_extension("log"));
        let log = log.map_err(|problem| problem.to_string())?;
        let is_logged = log.contains("ws://127.0.0.1:1") && log.contains("next_try_seconds");
        if is_logged && ready.contains("\"ready\":true") && ready.contains("127.0.0.1:1: ") {
            Ok(())
        } else {
            Err(format!("{ready} {log}"))
        }
    })
    .await?;

    let second = Command::new(BINARY)
        .args(["serve", "--data-dir"])
        .arg(&data)
        .output()?;
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(told.contains("in use by pid "), "{told}");
    assert_eq!(plyr.dump().await?, "");
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[test]
fn a_stop_right_at_the_ready_line_is_a_graceful_one() -> Tested {
    let folder = tempfile::tempdir()?;
    for round in 0..40 {
        let mut plyr = Command::new(BINARY)
            .args(["serve", "--listen", ":0", "--metrics-listen", ":0"])
            .args(nowhere())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let mut out = BufReader::new(plyr.stdout.take().ok_or("no stdout")?);
        out.read_line(&mut line)?;
        kill_process(Pid::from_child(&plyr), Signal::TERM)?;
        assert_eq!(plyr.wait()?.code(), Some(0), "round {round} after {line}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dump_that_fails_leaves_the_one_before() -> Tested {
    let folder = tempfile::tempdir()?;
    let (data, file) = (folder.path().join("data"), folder.path().join("state"));
    let plyr = Plyr::start(BINARY, &data, &nowhere()).await?;
    assert_eq!(plyr.stop().await?, Some(0));
    std::fs::write(&file, "precious")?;
    let dump = |namespace: &str| {
        Command::new(BINARY)
            .args(["dump", "--namespace", namespace, "--data-dir"])
            .arg(&data)
            .arg("--out")
            .arg(&file)
            .output()
    };
    let failed = dump("fm.plyr.dev")?;
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{told}");
    assert_eq!(std::fs::read_to_string(&file)?, "precious");
    assert!(dump("fm.plyr")?.status.success());
    assert_eq!(std::fs::read_to_string(&file)?, "");
    // Nothing is left beside it.
    let mut left: Vec<_> = std::fs::read_dir(folder.path())?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    left.sort();
    assert_eq!(left, ["data", "data.log", "state"]);
    Ok(())
}

#[tokio::test]
async fn a_folder_may_lie_deep() -> Tested {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("deep".repeat(50)).join("data");
    let plyr = Plyr::start(BINARY, &data, &nowhere()).await?;
    assert_eq!(plyr.dump().await?, "");
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[test]
fn a_folder_of_a_newer_version_is_refused_untouched() -> Tested {
    let folder = tempfile::tempdir()?;
    let about = r#"{"format":999,"engine":"embedded","namespace":"fm.plyr"}"#;
    std::fs::write(folder.path().join("format.json"), about)?;
    let refused = Command::new(BINARY)
        .args(["serve", "--data-dir"])
        .arg(folder.path())
        .output()?;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("store format 999"), "{told}");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("format.json"))?,
        about
    );
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[test]
fn a_wrong_value_is_refused_with_key_problem_and_fix() -> Tested {
    let folder = tempfile::tempdir()?;
    let cases: &[(&[&str], &str, &str)] = &[
        (
            &["--listen", "nowhere"],
            "listen",
            "write it like 127.0.0.1:8080",
        ),
        (
            &["--listen", "0.0.0.0:80"],
            "public_url",
            "https://music.example.com",
        ),
        (&["--jetstream", "http://x"], "jetstream", "wss://host"),
        (
            &["--jetstream", "ws://x|ws://y/z"],
            "jetstream",
            "leave only",
        ),
        (&["--stream-grace", "later"], "stream_grace", "90s"),
        (&["--blind-events", "0"], "blind_events", "from 1 to 1000"),
        (
            &["--canary", "at://x.example/fm.plyr.track/y"],
            "canary",
            "at://did:plc:",
        ),
        (
            &["--canary", "at://did:web:x.example/fm.plyr.stg.track/y"],
            "canary",
            "none of the namespace's collections",
        ),
        (&["--namespace", "plyr"], "namespace", "fm.plyr"),
        (&["--store", "postgres://x"], "store", "write embedded"),
        (&["--changes-keep", "soon"], "changes_keep", "72h"),
        (&["--disk-reserve", "much"], "disk_reserve", "512MiB"),
        (&["--log-format", "xml"], "log_format", "text or json"),
        (&["--log", "a=b=c"], "log = ", "info,plyr_indexer=debug"),
        (&["--log", " é[["], "log = ", "info,plyr_indexer=debug"),
        (&["--contact", "a\nb"], "contact", "a URL"),
        (&["--data-dir", ""], "data_dir", "./plyr-data"),
        (&["--data-dir", BINARY], "data_dir", "name a folder"),
        (&["--plc-url", "https://x/?y"], "plc_url", "https://host"),
        (
            &["--public-url", "https://x/#y"],
            "public_url",
            "https://host",
        ),
        (
            &["--listen", ":7777", "--metrics-listen", ":7777"],
            "metrics_listen",
            "another port",
        ),
        (&["--media", "always"], "media", "on-demand"),
        (
            &["--trusted-proxy", "10.0.0.0/40"],
            "trusted_proxy",
            "10.0.0.0/8",
        ),
        (&["--handle-resolver", "http://x"], "handle_resolver", "dev"),
        (
            &["--config", "/there/is/no/such.toml"],
            "config",
            "readable file",
        ),
    ];
    for (arguments, key, fix) in cases {
        // What `serve` would refuse, `config check` refuses too.
        for command in [&["serve"][..], &["config", "check"]] {
            let refused = Command::new(BINARY)
                .args(command)
                .args(*arguments)
                .env("PLYR_DATA_DIR", folder.path().join("never"))
                .current_dir(folder.path())
                .output()?;
            let told = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {told}");
            assert!(
                told.contains(key) && told.contains(fix),
                "{arguments:?}: {told}"
            );
            assert_eq!(
                std::fs::read_dir(folder.path())?.count(),
                0,
                "{arguments:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn flag_beats_environment_beats_file_beats_default() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("plyr.toml");
    std::fs::write(
        &file,
        "data_dir = 'a'\nnamespace = 'fm.plyr.dev'\nlisten = ':1'\n",
    )?;
    let checked = Command::new(BINARY)
        .args(["config", "check", "--data-dir", "c", "--config"])
        .arg(&file)
        .env("PLYR_DATA_DIR", "b")
        .env("PLYR_LISTEN", ":2")
        .output()?;
    let told = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{told}");
    for line in [
        "data_dir = c   (flag --data-dir)",
        "listen = :2   (environment PLYR_LISTEN)",
        "namespace = fm.plyr.dev   (file ",
        "plc_url = https://plc.directory   (default)",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    Ok(())
}

#[test]
fn a_file_or_an_environment_that_cant_be_meant_is_refused() -> Tested {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("plyr.toml");
    let check = |text: &str, environment: &[u8]| -> Result<(Option<i32>, String), std::io::Error> {
        std::fs::write(&file, text)?;
        let checked = Command::new(BINARY)
            .args(["config", "check"])
            .env("PLYR_LISTEN", std::ffi::OsStr::from_bytes(environment))
            .current_dir(folder.path())
            .output()?;
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        Ok((checked.status.code(), told))
    };
    for (text, key, fix) in [
        ("lissten = ':1'", "lissten", "--help"),
        ("config = 'other.toml'", "config", "--help"),
        ("[serve]\ndev = true", "serve", "--help"),
        (
            "contact = [1]",
            "contact in plyr.toml",
            "(array); write a text",
        ),
        ("dev = 'yes'", "dev in plyr.toml", "true or false"),
        (
            "jetstream = [1]",
            "jetstream in plyr.toml",
            "an array of texts",
        ),
        ("contact =", "plyr.toml", "no TOML"),
    ] {
        let (code, told) = check(text, b":1")?;
        assert_eq!(code, Some(2), "{text}: {told}");
        assert!(told.contains(key) && told.contains(fix), "{text}: {told}");
    }
    assert_eq!(check("dev = false", b":1")?.0, Some(0));
    let (code, told) = check("", b":1\xff")?;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("PLYR_LISTEN"), "{told}");
    Ok(())
}
