//! `plyr blobs copy`, from a disk into a real bucket and back: every byte is there again, a second
//! run finds it there, and what is damaged is named and not copied.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use plyr_objects::{Disk, ImageSize, ObjectKey, Objects, conformance};
use plyr_peers::{Around, Plyr, S3Server};

type Tested = Result<(), conformance::BoxError>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const BUCKET: &str = "music";
const TO_BUCKET: &str = "s3://music/kept/here";

/// Every object of a folder with its bytes.
fn objects(folder: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .display()
                .to_string();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(name, fs::read(path)?)),
            }
        }
    }
    found.remove("plyr-objects");
    Ok(found)
}

/// Runs the command as somebody would who serves from neither place.
fn copy(server: &S3Server, data_dir: &Path, from: &str, to: &str) -> std::io::Result<Output> {
    Command::new(BINARY)
        .args(["blobs", "copy", "--from", from, "--to", to])
        .args(["--s3-endpoint", &server.url, "--s3-region", "us-east-1"])
        .arg("--data-dir")
        .arg(data_dir)
        .env("AWS_ACCESS_KEY_ID", &server.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &server.secret_key)
        .output()
}

/// What it printed, where it went as it should.
fn told(output: &Output, code: i32) -> Result<String, String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    match output.status.code() == Some(code) {
        true => Ok(format!("{printed}{said}")),
        false => Err(format!(
            "exit {:?}, wanted {code}: {printed}{said}",
            output.status.code()
        )),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i09_bytes_come_whole_into_a_bucket_and_back() -> Tested {
    let Some(server) = S3Server::start(&[BUCKET]).await? else {
        return Ok(());
    };
    let home = tempfile::tempdir()?;
    let folder = |name: &str| home.path().join(name);
    let place = |name: &str| format!("disk:{}", folder(name).display());
    let disk = Disk::open(&folder("first"))?;
    // None, one, a few, and more than a part of an upload.
    for (seed, length) in [(1, 0), (2, 1), (3, 70_000), (4, (9 << 20) + 7)] {
        let bytes = conformance::bytes(seed, length);
        let cid = conformance::cid_of(&bytes)?;
        let file = conformance::file(&bytes)?;
        let about = conformance::about();
        disk.put(&ObjectKey::original(&cid), file.path(), &about)
            .await?;
        disk.put(
            &ObjectKey::image(&cid, ImageSize::Card),
            file.path(),
            &about,
        )
        .await?;
    }
    let kept = objects(&folder("first"))?;
    assert_eq!(kept.len(), 8, "{:?}", kept.keys());

    let there = copy(&server, &folder("data"), &place("first"), TO_BUCKET)?;
    let there = told(&there, 0)?;
    assert!(there.contains("8 objects: 8 copied"), "{there}");
    let back = copy(&server, &folder("data"), TO_BUCKET, &place("second"))?;
    let back = told(&back, 0)?;
    assert!(back.contains("8 objects: 8 copied"), "{back}");
    assert!(objects(&folder("second"))? == kept, "other bytes came back");
    let original = kept.keys().find(|name| name.starts_with("originals"));
    let original = original.ok_or("no original")?;
    let mode = |name: &str| fs::metadata(folder(name).join(original)).map(|is| is.permissions());
    let (plain, came) = (folder("plain"), mode("second")?.mode() & 0o777);
    fs::write(&plain, "")?;
    assert_eq!(came, fs::metadata(plain)?.permissions().mode() & 0o777);

    for (from, to) in [
        (place("first"), TO_BUCKET),
        (TO_BUCKET.to_owned(), &place("second")),
    ] {
        let again = told(&copy(&server, &folder("data"), &from, to)?, 0)?;
        assert!(again.contains("0 copied"), "{again}");
        assert!(again.contains("8 were there"), "{again}");
    }

    // A disk that forgot a bit; the target has lost that object.
    let damaged = folder("second").join(original);
    let mut bytes = fs::read(&damaged)?;
    match bytes.first_mut() {
        Some(first) => *first ^= 1,
        None => bytes.push(1),
    }
    fs::remove_file(&damaged)?;
    fs::write(&damaged, bytes)?;
    let other = "s3://music/other";
    let refused = copy(&server, &folder("data"), &place("second"), other)?;
    let refused = told(&refused, 1)?;
    let name = original.rsplit('/').next().unwrap_or(original);
    assert!(
        refused.contains("1 failed") && refused.contains(name),
        "{refused}"
    );
    let came = objects(&server.folder.join("music/other"))?;
    assert_eq!((came.len(), came.get(original)), (7, None));
    Ok(())
}

#[test]
fn places_that_cannot_be_are_refused_with_the_fix() -> Tested {
    let home = tempfile::tempdir()?;
    let refused = |from: &str, to: &str, more: &[&str]| {
        let output = Command::new(BINARY)
            .args(["blobs", "copy", "--from", from, "--to", to, "--data-dir"])
            .arg(home.path())
            .args(more)
            .env_remove("AWS_ACCESS_KEY_ID")
            .output()?;
        Ok::<_, std::io::Error>(told(&output, 2).unwrap_or_else(|problem| problem))
    };
    let here = format!("disk:{}", home.path().display());
    let nowhere = format!("{here}/nowhere");
    let same = refused(&here, &here, &[])?;
    assert!(same.contains("one place"), "{same}");
    let missing = refused(&nowhere, &here, &[])?;
    assert!(missing.contains("there is no folder"), "{missing}");
    let unknown = refused("ftp://x", &here, &[])?;
    assert!(unknown.contains("--from ftp://x"), "{unknown}");
    let closed = refused(&here, "s3://music", &[])?;
    assert!(closed.contains("AWS_ACCESS_KEY_ID"), "{closed}");
    // An endpoint without a bucket is a mistake, also here.
    let other = format!("{here}/other");
    let idle = refused(&here, &other, &["--s3-endpoint", "http://127.0.0.1:9"])?;
    assert!(idle.contains("s3_endpoint is set"), "{idle}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_down_at_the_start_stops_nothing_else() -> Tested {
    let home = tempfile::tempdir()?;
    // Nothing listens there any more.
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let words = [
        "--dev",
        "--jetstream",
        "ws://127.0.0.1:9",
        "--relay-url",
        "none",
    ];
    let mut arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    arguments
        .extend(["--plc-url", "http://127.0.0.1:9", "--blobs", "s3://music"].map(String::from));
    arguments.extend(["--s3-endpoint".to_owned(), format!("http://{free}")]);
    let around = Around {
        environment: vec![
            ("AWS_ACCESS_KEY_ID".to_owned(), "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()),
        ],
        ..Around::default()
    };
    let folder = home.path().join("data");
    let plyr = Plyr::launch(&around, BINARY, "serve", &folder, &arguments).await?;
    let latest = plyr.xrpc("fm.plyr.feed.getLatest", "").await?;
    assert_eq!(latest["tracks"], serde_json::json!([]));
    Ok(())
}
