//! Where values come from: flag beats environment beats file beats default.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::options::{OPTIONS, OptionRow, Shape};
use crate::error::OpsError;

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A flag of the command line.
    Flag,
    /// An environment variable.
    Environment,
    /// A key of the file named.
    File(String),
    /// The default.
    Default,
    /// Not set, and there is no default.
    Unset,
}

/// One option's values, still text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// The values; a switch has `true` or `false`.
    pub values: Vec<String>,
    /// Where from.
    pub origin: Origin,
}

/// Every option's setting, by flag.
#[derive(Clone, Debug)]
pub struct Settings {
    rows: BTreeMap<&'static str, Setting>,
    names_a_bucket: bool,
}

impl Settings {
    /// What a file says by itself, and the defaults of the rest: no flags, no environment. `path`
    /// is what problems call it.
    pub fn of_file(path: &str, text: &str) -> Result<Settings, OpsError> {
        let file = Some((path.to_owned(), read_table(path, text)?));
        all(|option, problems| from_file(option, &file, problems))
    }

    /// One option's setting.
    pub fn get(&self, flag: &str) -> Option<&Setting> {
        self.rows.get(flag)
    }

    /// Whether the command itself names a bucket (`plyr blobs copy`), whatever `blobs` says.
    pub fn names_a_bucket(&self) -> bool {
        self.names_a_bucket
    }

    /// Whether somebody set it.
    pub fn is_set(&self, flag: &str) -> bool {
        self.get(flag)
            .is_some_and(|setting| !matches!(setting.origin, Origin::Default | Origin::Unset))
    }
}

/// Gathers all options of a command line, the environment and the file.
pub fn gather(arguments: &ArgMatches) -> Result<Settings, OpsError> {
    let unreadable: Vec<String> = OPTIONS
        .iter()
        .map(OptionRow::environment)
        .filter(|name| std::env::var_os(name).is_some_and(|value| value.to_str().is_none()))
        .map(|name| format!("  {name} in the environment is no UTF-8; write it anew"))
        .collect();
    if !unreadable.is_empty() {
        return Err(OpsError::Config(unreadable));
    }
    let environment = |name: &str| std::env::var(name).ok();
    let named = flag_values(arguments, &OPTIONS[0])
        .or_else(|| environment(&OPTIONS[0].environment()).map(|path| vec![path]));
    let file = read_file(
        named
            .as_ref()
            .and_then(|paths| paths.first())
            .map(String::as_str),
    )?;
    let settings =
        all(|option, problems| setting(option, arguments, &environment, &file, problems));
    settings.map(|settings| Settings {
        names_a_bucket: names_a_bucket(arguments),
        ..settings
    })
}

fn names_a_bucket(arguments: &ArgMatches) -> bool {
    let Some(("copy", arguments)) = arguments.subcommand() else {
        return false;
    };
    let place = |name| arguments.get_one::<String>(name);
    let places = [place("from"), place("to")];
    places
        .into_iter()
        .flatten()
        .any(|place| place.starts_with("s3://"))
}

/// Every option's setting, or every problem.
fn all(setting: impl Fn(&OptionRow, &mut Vec<String>) -> Setting) -> Result<Settings, OpsError> {
    let mut problems = Vec::new();
    let mut rows = BTreeMap::new();
    for option in OPTIONS {
        rows.insert(option.flag, setting(option, &mut problems));
    }
    if problems.is_empty() {
        Ok(Settings {
            rows,
            names_a_bucket: false,
        })
    } else {
        Err(OpsError::Config(problems))
    }
}

fn setting(
    option: &OptionRow,
    arguments: &ArgMatches,
    environment: &dyn Fn(&str) -> Option<String>,
    file: &Option<(String, toml::Table)>,
    problems: &mut Vec<String>,
) -> Setting {
    if let Some(values) = flag_values(arguments, option) {
        return Setting {
            values,
            origin: Origin::Flag,
        };
    }
    if let Some(text) = environment(&option.environment()) {
        let values = match option.shape {
            Shape::Many => text.split(',').map(|part| part.trim().to_owned()).collect(),
            _ => vec![text],
        };
        return Setting {
            values,
            origin: Origin::Environment,
        };
    }
    from_file(option, file, problems)
}

/// What the file says, else the default.
fn from_file(
    option: &OptionRow,
    file: &Option<(String, toml::Table)>,
    problems: &mut Vec<String>,
) -> Setting {
    if let Some((path, table)) = file
        && let Some(value) = table.get(&option.key())
    {
        match file_values(option, value) {
            Ok(values) => {
                return Setting {
                    values,
                    origin: Origin::File(path.clone()),
                };
            }
            Err(expected) => problems.push(format!(
                "  {} in {path}: wrong kind of value ({}); write {expected}",
                option.key(),
                value.type_str()
            )),
        }
    }
    let values: Vec<String> = option
        .default
        .iter()
        .map(|&value| value.to_owned())
        .collect();
    let origin = if values.is_empty() {
        Origin::Unset
    } else {
        Origin::Default
    };
    Setting { values, origin }
}

fn flag_values(arguments: &ArgMatches, option: &OptionRow) -> Option<Vec<String>> {
    if arguments.value_source(option.flag) != Some(ValueSource::CommandLine) {
        return None;
    }
    if option.shape == Shape::Switch {
        return Some(vec![arguments.get_flag(option.flag).to_string()]);
    }
    Some(
        arguments
            .get_many::<String>(option.flag)?
            .cloned()
            .collect(),
    )
}

fn file_values(option: &OptionRow, value: &toml::Value) -> Result<Vec<String>, &'static str> {
    match (option.shape, value) {
        (Shape::Switch, toml::Value::Boolean(on)) => Ok(vec![on.to_string()]),
        (Shape::Switch, _) => Err("true or false"),
        (Shape::Many, toml::Value::Array(values)) => {
            let text = |value: &toml::Value| value.as_str().map(str::to_owned);
            values
                .iter()
                .map(text)
                .collect::<Option<_>>()
                .ok_or("an array of texts")
        }
        (_, toml::Value::String(text)) => Ok(vec![text.clone()]),
        (Shape::One, toml::Value::Integer(number)) => Ok(vec![number.to_string()]),
        _ => Err("a text in quotes"),
    }
}

/// The file's path and table; a file that was named must be there.
fn read_file(named: Option<&str>) -> Result<Option<(String, toml::Table)>, OpsError> {
    let path = named.unwrap_or("plyr.toml");
    if named.is_none() && !Path::new(path).exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|problem| {
        OpsError::Config(vec![format!(
            "  config = {path:?}: {problem}; name a readable file"
        )])
    })?;
    Ok(Some((path.to_owned(), read_table(path, &text)?)))
}

/// The keys of a file, each one of an option.
fn read_table(path: &str, text: &str) -> Result<toml::Table, OpsError> {
    let table: toml::Table = text
        .parse()
        .map_err(|problem| OpsError::Config(vec![format!("  {path} is no TOML: {problem}")]))?;
    let unknown: Vec<String> = table
        .keys()
        // The file can't say where the file is.
        .filter(|key| !OPTIONS[1..].iter().any(|option| option.key() == **key))
        .map(|key| {
            format!("  {key} in {path}: there is no such key; `plyr --help` lists the options")
        })
        .collect();
    if unknown.is_empty() {
        Ok(table)
    } else {
        Err(OpsError::Config(unknown))
    }
}
