//! The configuration file.

use std::net::SocketAddr;

use plyr::config::options::{OPTIONS, Shape};
use plyr::config::{Config, Settings};
use plyr::error::OpsError;
use plyr_indexer::MOST_HOSTS;

/// Reads the bytes as a configuration file. Each refusal names a key, or where it is no TOML; what
/// is accepted is within its bounds, is closed to others unless it says more, and what is in force
/// can be written into a file that says the same.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let settings = match Settings::of_file("plyr.toml", text) {
        Ok(settings) => settings,
        Err(problem) => return refused(&problem),
    };
    // Names would be looked up, and files opened.
    if asks_the_machine(&settings) {
        return;
    }
    let config = match Config::from_settings(&settings) {
        Ok(config) => config,
        Err(problem) => return refused(&problem),
    };
    bounded(&config);
    let written = written(&settings);
    let again = Settings::of_file("plyr.toml", &written).expect("the same keys are read");
    let again = Config::from_settings(&again).expect("the same values are read");
    assert_eq!(format!("{again:?}"), format!("{config:?}"), "{written}");
}

fn refused(problem: &OpsError) {
    let OpsError::Config(problems) = problem else {
        panic!("not a problem of the configuration: {problem}");
    };
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        assert!(
            problem.starts_with("  ") && problem.trim().contains(' '),
            "{problem:?}"
        );
    }
}

fn asks_the_machine(settings: &Settings) -> bool {
    let is_named = |flag: &str| {
        let values = settings.get(flag).map(|setting| &setting.values[..]);
        values.unwrap_or_default().iter().any(|text| {
            let port = text.strip_prefix(':').unwrap_or(text);
            text.parse::<SocketAddr>().is_err() && port.contains(':')
        })
    };
    is_named("listen") || is_named("metrics-listen") || settings.is_set("admin-password-file")
}

fn bounded(config: &Config) {
    let durations = [
        config.comparison.grace,
        config.verify_every,
        config.heartbeat_patience,
        config.changes_keep,
        config.erase_after,
    ];
    assert!(
        durations.iter().all(|duration| !duration.is_zero()),
        "a duration of nothing"
    );
    assert!(config.comparison.blind_events > 0, "blind at once");
    assert!(config.jetstreams.iter().flatten().count() <= MOST_HOSTS);
    assert!(
        !config.contact.contains(char::is_control),
        "{:?}",
        config.contact
    );
    if !config.listen.ip().is_loopback() {
        assert!(config.public_url.is_some() && !config.dev, "open to others");
    }
    let urls = config.jetstreams.iter().flatten().chain(&config.relays);
    for url in urls
        .chain(&config.handle_resolvers)
        .chain([&config.plc_url])
    {
        assert!(url.host().is_some() && url.username().is_empty(), "{url}");
        assert!(url.password().is_none() && url.query().is_none(), "{url}");
    }
    if let Some(replication) = &config.replication {
        let copies = replication.datacenters.iter().map(|(_, copies)| *copies);
        assert!(
            copies
                .chain([replication.factor])
                .all(|copies| (1..=9).contains(&copies))
        );
    }
}

/// A file of everything that is in force.
fn written(settings: &Settings) -> String {
    let mut file = String::new();
    // The first option says where the file is.
    for option in &OPTIONS[1..] {
        let setting = settings
            .get(option.flag)
            .expect("every option has a setting");
        let texts: Vec<String> = setting.values.iter().map(|text| quoted(text)).collect();
        let value = match (option.shape, setting.values.as_slice()) {
            (Shape::Many, []) => "[]".to_owned(),
            (_, []) => continue,
            (Shape::Switch, [on, ..]) => on.clone(),
            (Shape::One, _) => texts[0].clone(),
            (Shape::Many, _) => format!("[{}]", texts.join(", ")),
        };
        file.push_str(&format!("{} = {value}\n", option.key()));
    }
    file
}

/// A text as JSON and TOML both write it, but for one character.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('\u{7f}', "\\u007F")
}
