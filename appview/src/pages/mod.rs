//! What the service shows of itself: a short page, its status, its DID document and robots.

pub mod address;
pub mod status;
pub mod track;

use plyr_schemas::Totals;
use serde_json::{Value, json};

use crate::App;

/// What robots are told: everything here is public.
pub const ROBOTS: &str = "User-agent: *\nAllow: /\n";

/// `/.well-known/did.json`: the service's did:web and where it answers.
pub fn did_document(app: &App) -> Value {
    let host = app.public_url.host_str().unwrap_or("localhost");
    let port = app
        .public_url
        .port()
        .map(|port| format!("%3A{port}"))
        .unwrap_or_default();
    let id = format!("did:web:{host}{port}");
    let endpoint = app.public_url.as_str().trim_end_matches('/');
    let service =
        |id: &str, kind: &str| json!({ "id": id, "type": kind, "serviceEndpoint": endpoint });
    // Mentions link to pages that aren't served yet: nobody is sent to ask for them.
    json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": id,
        "service": [service("#plyr_appview", "PlyrAppView")],
    })
}

/// `/`: what this is and what it holds.
pub fn home(totals: &Totals) -> String {
    let sums = &totals.sums;
    let hours = sums.duration_seconds / 3600;
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>plyr: music on the AT Protocol</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 38rem; }}
body {{ margin: 4rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; margin-bottom: 0; }}
dl {{ display: grid; gap: 1rem; margin: 2rem 0; }}
dl {{ grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); }}
dt {{ opacity: .7; }}
dd {{ margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }}
code {{ font-size: .9em; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>plyr</h1>
<p>An AppView for music on the AT Protocol: tracks, likes, timed comments, playlists and albums,
read from their authors' own repositories and answered over XRPC.</p>
<dl>
<div><dt>tracks</dt><dd>{tracks}</dd></div>
<div><dt>artists</dt><dd>{artists}</dd></div>
<div><dt>hours</dt><dd>{hours}</dd></div>
<div><dt>likes</dt><dd>{likes}</dd></div>
<div><dt>comments</dt><dd>{comments}</dd></div>
<div><dt>lists</dt><dd>{lists}</dd></div>
</dl>
<p>Try <a href="/xrpc/fm.plyr.feed.getLatest?limit=5"><code>fm.plyr.feed.getLatest</code></a>,
<a href="/xrpc/fm.plyr.stats.getStats"><code>fm.plyr.stats.getStats</code></a> or
<a href="/status">how complete this is, and how it knows</a>.</p>
</body>
</html>
"#,
        tracks = sums.tracks,
        artists = totals.artists,
        likes = sums.likes,
        comments = sums.comments,
        lists = sums.lists,
    )
}
