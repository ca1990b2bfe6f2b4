//! Hosts that list, ask for patience, hang or drip.

use std::time::Duration;

use plyr_lexicons::Cid;
use plyr_repo::{Bounds, Fault as Whose};

use crate::fake::{Fault, Repo};
use crate::fetching::*;
use crate::forge::record;

#[tokio::test]
async fn listings_are_checked_as_far_as_they_can_be() {
    let (pds, ask) = host(120, 10).await;
    for method in [PROOF, REPO] {
        pds.fault(method, Fault::Lacking);
    }
    let fetcher = fetcher(&pds.origin, bounds());
    let name = "com.atproto.repo.listRecords";
    let uri = |rkey: &str| format!("at://{}/fm.plyr.actor.profile/{rkey}", ask.did.as_str());
    let value = serde_json::json!({ "a": 1 });
    let cid = plyr_lexicons::data::from_json(value.to_string().as_bytes()).unwrap();
    let cid = plyr_lexicons::data::cid_of(&plyr_lexicons::data::to_cbor(&cid).unwrap());
    let entry = |rkey: &str, cid: &Cid| {
        let cid = cid.to_string();
        serde_json::json!({ "uri": uri(rkey), "cid": cid, "value": value })
    };
    let page = |records: &[serde_json::Value]| {
        let body = serde_json::json!({ "records": records, "cursor": "on and on" });
        Fault::Body(body.to_string().into_bytes())
    };
    let wrong = plyr_lexicons::data::cid_of(b"else");
    for (what, fault, reason) in [
        (
            "the same page for ever",
            page(&[entry("a", &cid)]),
            "malformed",
        ),
        (
            "descending",
            page(&[entry("b", &cid), entry("a", &cid)]),
            "malformed",
        ),
        ("another CID", page(&[entry("a", &wrong)]), "wrong-cid"),
        ("no JSON", Fault::Body(b"{".to_vec()), "host"),
    ] {
        pds.fault(name, fault);
        let told = fetcher
            .fetch(&ask)
            .await
            .map(|fetched| fetched.state)
            .unwrap_err();
        assert_eq!(told.reason(), reason, "{what}: {told}");
    }
    // Empty pages for ever end.
    pds.fault(name, page(&[]));
    let state = fetcher.fetch(&ask).await.unwrap().state;
    assert_eq!((state.records, state.verified), (Some(0), false));
    // One whose head moves is listed again.
    pds.state().faults.remove(name);
    let grow: Box<dyn FnOnce(&mut Repo) + Send> = Box::new(|repo| {
        // Before what is listed already.
        let key = "fm.plyr.actor.profile/2a".to_owned();
        repo.records.insert(key, record("meanwhile", 300));
    });
    pds.state().then = Some((name, did(1).to_string(), grow));
    let fetched = fetcher.fetch(&ask).await.unwrap();
    assert_eq!(keyed(&read_all(fetched, 500).await), expected(&pds));
}

#[tokio::test]
async fn a_host_that_asks_for_a_wait_gets_it() {
    let (pds, ask) = host(10, 2_000).await;
    let fetcher = fetcher(&pds.origin, bounds());
    for method in [PROOF, BLOCKS] {
        pds.fault(method, Fault::Away(2));
        let fetched = fetcher.fetch(&ask).await.unwrap();
        assert_eq!(
            keyed(&read_all(fetched, 500).await),
            expected(&pds),
            "{method}"
        );
    }
    pds.fault(PROOF, Fault::Away(100));
    let told = fetcher
        .fetch(&ask)
        .await
        .map(|fetched| fetched.state)
        .unwrap_err();
    assert_eq!(told.fault(), Whose::Host);
}

#[tokio::test]
async fn i11_hosts_that_hang_or_drip_are_given_up() {
    let trouble = async |method: &'static str, fault: Fault| {
        let (pds, ask) = host(30, 300).await;
        if method == REPO {
            pds.fault(PROOF, Fault::Lacking);
        }
        pds.fault(method, fault);
        let fetcher = fetcher(&pds.origin, bounds());
        let fetched = tokio::time::timeout(Duration::from_secs(180), fetcher.fetch(&ask)).await;
        let told = fetched
            .expect("it is given up")
            .map(|fetched| fetched.state)
            .unwrap_err();
        assert_eq!(told.fault(), Whose::Host, "{method}: {told}");
    };
    tokio::join!(
        trouble(PROOF, Fault::Hangs),
        trouble(PROOF, Fault::Drips),
        trouble(REPO, Fault::Hangs),
        trouble(REPO, Fault::Drips),
    );
    let (pds, ask) = host(30, 300).await;
    pds.fault(PROOF, Fault::Hangs);
    let short = Bounds {
        longest: Duration::from_millis(200),
        ..bounds()
    };
    let told = fetcher(&pds.origin, short).fetch(&ask).await;
    assert_eq!(
        told.map(|fetched| fetched.state).unwrap_err().fault(),
        Whose::Host
    );
}
