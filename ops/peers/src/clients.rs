//! The official TypeScript packages: the tool that makes a typed client of lexicon documents, the
//! client, and the validators. They run on Node in a folder of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::PeersError;
use crate::peers::{START, missing_tools};

/// How long the packages may work on what a test gives them.
const WORK: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
struct Installed {
    node: PathBuf,
    root: PathBuf,
}

/// A folder with lexicon documents and the client that was made of them.
pub struct Clients {
    node: PathBuf,
    folder: PathBuf,
}

impl Clients {
    /// Installs the packages, and makes a client of documents (their paths, like
    /// `fm/plyr/track.json`, and texts) in an empty folder. Its code is checked by the TypeScript
    /// compiler together with the `scripts` of `ops/peers/clients` that are written in it. Nothing
    /// where Node or npm is missing.
    pub async fn make(
        folder: &Path,
        documents: &[(&str, &str)],
        scripts: &[&str],
    ) -> Result<Option<Clients>, PeersError> {
        if missing_tools(&["node", "npm"])? {
            return Ok(None);
        }
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut locate = Command::new("node");
        locate
            .arg(here.join("peers.mjs"))
            .args(["locate", "clients"]);
        let located = run("peers.mjs locate clients", &mut locate, b"", START).await?;
        let installed: Installed = serde_json::from_str(&located)
            .map_err(|problem| PeersError::Start(format!("peers.mjs locate: {problem}")))?;
        let prepared = prepare(folder, &installed.root, documents, scripts);
        prepared.map_err(|problem| failed("preparing a folder", &problem))?;
        let clients = Clients {
            node: installed.node,
            folder: folder.to_owned(),
        };
        let modules = folder.join("node_modules");
        let tool = modules.join("@atproto/lex/bin/lex");
        let build = ["build", "--lexicons", "lexicons", "--out", "src/generated"];
        clients
            .node(&tool, &[&build[..], &["--index-file"]].concat(), b"")
            .await?;
        let compiler = modules.join("typescript/bin/tsc");
        clients.node(&compiler, &["--project", "."], b"").await?;
        Ok(Some(clients))
    }

    /// Runs a script of `ops/peers/clients`, by its name once compiled (`….mjs` or `….js`), with
    /// something to read; answers what it printed.
    pub async fn run(
        &self,
        script: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<String, PeersError> {
        self.node(&self.folder.join("built").join(script), arguments, input)
            .await
    }

    async fn node(
        &self,
        script: &Path,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<String, PeersError> {
        let mut command = Command::new(&self.node);
        command
            .current_dir(&self.folder)
            .arg(script)
            .args(arguments);
        let what = script.display().to_string();
        run(&what, &mut command, input, WORK).await
    }
}

/// What the compiler needs to know.
const PROJECT: &str = r#"{
  "compilerOptions": {
    "strict": true, "target": "es2022", "module": "nodenext", "moduleResolution": "nodenext",
    "skipLibCheck": true, "types": [], "rootDir": "src", "outDir": "built"
  },
  "include": ["src"]
}"#;

fn prepare(
    folder: &Path,
    packages: &Path,
    documents: &[(&str, &str)],
    scripts: &[&str],
) -> std::io::Result<()> {
    for place in ["src", "built"] {
        std::fs::create_dir_all(folder.join(place))?;
    }
    std::os::unix::fs::symlink(packages.join("node_modules"), folder.join("node_modules"))?;
    std::fs::write(folder.join("package.json"), r#"{"type":"module"}"#)?;
    std::fs::write(folder.join("tsconfig.json"), PROJECT)?;
    for (path, text) in documents {
        let path = folder.join("lexicons").join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)?;
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    for script in scripts {
        let compiled = Path::new(script)
            .extension()
            .is_some_and(|kind| kind == "ts");
        let place = folder.join(if compiled { "src" } else { "built" });
        std::fs::copy(ours.join(script), place.join(script))?;
    }
    Ok(())
}

fn failed(what: &str, detail: &dyn std::fmt::Display) -> PeersError {
    PeersError::Start(format!("{what}: {detail}"))
}

/// Runs a command to its end; it is killed when that takes too long.
async fn run(
    what: &str,
    command: &mut Command,
    input: &[u8],
    longest: Duration,
) -> Result<String, PeersError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|problem| failed(what, &problem))?;
    let stdin = child.stdin.take();
    let work = async move {
        let told = async {
            match stdin {
                Some(mut stdin) => stdin.write_all(input).await,
                None => Ok(()),
            }
        };
        let (told, output) = tokio::join!(told, child.wait_with_output());
        // One that ends early has said why.
        let output: Output = output?;
        match output.status.success() {
            true => told.map(|()| output),
            false => Ok(output),
        }
    };
    let output = tokio::time::timeout(longest, work)
        .await
        .map_err(|_| failed(what, &format!("was not done after {} s", longest.as_secs())))?
        .map_err(|problem| failed(what, &problem))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complained = String::from_utf8_lossy(&output.stderr);
    Err(failed(
        what,
        &format!("{}\n{said}{complained}", output.status),
    ))
}
