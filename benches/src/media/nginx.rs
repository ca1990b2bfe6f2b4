//! nginx over one file, where it is installed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::client::Client;

type Failure = Box<dyn std::error::Error>;

/// How long it may take to start and to stop, and how often it is asked whether it has.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// A running nginx that sends a file as `/file`.
pub struct Nginx {
    pub url: String,
    pub version: String,
    child: Child,
    folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers outlive a master that is killed, so it is asked to stop, also after a
        // failure.
        if let Some(pid) = self.child.id() {
            drop(
                std::process::Command::new("kill")
                    .arg(pid.to_string())
                    .status(),
            );
        }
    }
}

impl Nginx {
    /// Starts it on a free port; none where it isn't installed.
    pub async fn start(file: &Path) -> Result<Option<Nginx>, Failure> {
        let Some(program) = find("nginx", &["/usr/sbin", "/usr/local/sbin"]) else {
            return Ok(None);
        };
        let version = Command::new(&program).arg("-v").output().await?;
        let version = String::from_utf8_lossy(&version.stderr).trim().to_owned();
        let folder = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let written = folder.path().join("nginx.conf");
        std::fs::write(&written, configuration(folder.path(), port, file))?;
        let complaints = std::fs::File::create(folder.path().join("stderr.log"))?;
        let child = Command::new(&program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&written)
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(complaints)
            .spawn()?;
        let mut nginx = Nginx {
            url: format!("http://127.0.0.1:{port}"),
            version,
            child,
            folder,
        };
        nginx.answers().await?;
        Ok(Some(nginx))
    }

    async fn answers(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let problem = match Client::open(&self.url).await {
                Ok(mut client) => match client.ask("/file", Some(0..1)).await {
                    Ok(_) => return Ok(()),
                    Err(problem) => problem,
                },
                Err(problem) => problem,
            };
            let ended = self.child.try_wait()?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                let said = ["stderr.log", "error.log"].map(|name| {
                    std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
                });
                let said = said.concat();
                return Err(format!("nginx does not answer: {problem}; {ended:?} {said}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stops it.
    pub async fn stop(mut self) -> Result<(), Failure> {
        let pid = self.child.id().ok_or("nginx has ended by itself")?;
        Command::new("kill").arg(pid.to_string()).status().await?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        Ok(())
    }
}

fn configuration(folder: &Path, port: u16, file: &Path) -> String {
    let (folder, file) = (folder.display(), file.display());
    // Its workers must be able to read what only who runs this may read; where that is not root,
    // nginx says that it ignores `user`.
    format!(
        "user root;\n\
         daemon off;\n\
         worker_processes auto;\n\
         pid {folder}/nginx.pid;\n\
         error_log {folder}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
           access_log off;\n\
           sendfile on;\n\
           keepalive_requests 1000000000;\n\
           client_body_temp_path {folder}/body;\n\
           proxy_temp_path {folder}/proxy;\n\
           fastcgi_temp_path {folder}/fastcgi;\n\
           uwsgi_temp_path {folder}/uwsgi;\n\
           scgi_temp_path {folder}/scgi;\n\
           server {{\n\
             listen 127.0.0.1:{port};\n\
             location = /file {{ alias \"{file}\"; default_type audio/wav; }}\n\
           }}\n\
         }}\n"
    )
}

/// A program of `PATH`, or of these folders.
pub fn find(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = std::env::split_paths(&path).chain(folders.iter().map(PathBuf::from));
    known
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
