//! Which records let bytes out: whichever names them openly, and none of those that are hidden for
//! all.

use crate::*;

fn gated(cid: &Cid, padding: usize) -> Value {
    let mut record = of(cid);
    record["supportGate"] = json!({ "type": "any" });
    record["padding"] = "x".repeat(padding).into();
    record
}

/// Rows stand the newest first.
fn created(mut record: Value, year: &str) -> Value {
    record["createdAt"] = format!("{year}-01-01T00:00:00Z").into();
    record
}

async fn status(playing: &Playing, cid: &Cid) -> u16 {
    let path = format!("{AUDIO}?did=did:plc:a&cid={cid}");
    playing.get(&path, &[]).await.status().as_u16()
}

#[tokio::test]
async fn a_record_that_names_a_blob_openly_is_found_behind_many_that_do_not() {
    let playing = Playing::start().await;
    // More rows than are read at once, and more bytes.
    for (name, many, padding) in [("many", 230, 0), ("long", 6, 900_000)] {
        let cid = playing.keep(&sound(1_000 + many), &mp3()).await;
        for number in 0..many {
            let uri = format!("at://did:plc:a/fm.plyr.track/{name}{number}");
            let record = created(gated(&cid, padding), "2026");
            playing.served.put(&uri, 1, record).await;
        }
        assert_eq!(status(&playing, &cid).await, 403, "{name}");
        let uri = format!("at://did:plc:a/fm.plyr.track/{name}");
        let record = created(of(&cid), "2025");
        playing.served.put(&uri, 1, record).await;
        assert_eq!(status(&playing, &cid).await, 200, "{name}");
    }
}

#[tokio::test]
async fn i08_bytes_that_are_hidden_for_all_are_let_out_by_nobody() {
    let playing = Playing::start().await;
    let cid = playing.keep(&sound(1_000), &mp3()).await;
    playing.served.put(ONE, 1, gated(&cid, 0)).await;
    assert_eq!(status(&playing, &cid).await, 403);
    // Another's record of the same bytes is theirs to publish.
    let theirs = "at://did:plc:b/fm.plyr.track/theirs";
    playing.served.put(theirs, 2, of(&cid)).await;
    let path = format!("{AUDIO}?uri={theirs}");
    assert_eq!(playing.get(&path, &[]).await.status().as_u16(), 200);
    let record = HiddenSubject::Record(ONE.parse().unwrap());
    playing.hide(record, true, 3).await;
    assert_eq!(playing.get(&path, &[]).await.status().as_u16(), 200);
    let for_all = HiddenSubject::Blob { did: None, cid };
    playing.hide(for_all, true, 4).await;
    let refused = playing.refused(&path).await;
    assert_eq!(refused, (404, "BlobNotFound".to_owned()));
}
