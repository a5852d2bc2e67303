//! The real binary as a process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::PATIENCE;

/// The program that cargo built for the tests, from the folder above the running test's.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().with_file_name("qdn-relay")
}

/// How long a stop by SIGTERM may take, as the command promises.
const GRACE: Duration = Duration::from_secs(25);

/// How the program is started: its path, its configuration file and its environment.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub config: PathBuf,
    pub variables: Vec<(String, String)>,
}

impl Launch {
    /// The program that was built with the tests.
    pub fn new(config: &Path, variables: &[(String, String)]) -> Launch {
        Launch {
            program: program(),
            config: config.to_owned(),
            variables: variables.to_vec(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.complete(command)
    }

    /// A shell that runs `script` and then becomes `serve`.
    fn through_shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(&self.program);
        command.arg("serve");
        self.complete(command)
    }

    fn complete(&self, mut command: Command) -> Command {
        command
            .arg("--config")
            .arg(&self.config)
            .env_clear()
            .envs(self.variables.iter().cloned())
            .current_dir(self.config.parent().unwrap())
            .kill_on_drop(true);
        command
    }
}

/// Runs a command to its end. Returns its standard output; an error has its status, standard error and standard output.
pub async fn run(launch: &Launch, arguments: &[&str]) -> Result<String, String> {
    let output = launch
        .command(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!(
        "{}: {}{}",
        output.status,
        text(&output.stderr),
        text(&output.stdout)
    ))
}

/// A running service.
pub struct Relay {
    pub address: SocketAddr,
    pub child: Child,
    log: Arc<Mutex<Vec<String>>>,
    lines: watch::Receiver<usize>,
}

impl Relay {
    /// Starts `serve` and waits until it is ready.
    pub async fn start(launch: &Launch) -> Relay {
        Relay::watch(launch.command(&["serve"])).await
    }

    /// Starts it with SIGXFSZ ignored, so that a write beyond the file size limit fails like one to a full disk.
    pub(crate) async fn start_without_xfsz(launch: &Launch) -> Relay {
        Relay::watch(launch.through_shell("trap '' XFSZ; exec \"$0\" \"$@\"")).await
    }

    /// Starts it with this umask.
    pub(crate) async fn start_with_umask(umask: &str, launch: &Launch) -> Relay {
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        Relay::watch(launch.through_shell(&script)).await
    }

    /// Starts it with a limit of 160 open files.
    pub(crate) async fn start_with_few_files(launch: &Launch) -> Relay {
        let script = "ulimit -n 160; exec \"$0\" \"$@\"";
        Relay::watch(launch.through_shell(script)).await
    }

    /// Starts it with a socket that already exists as its third open file.
    pub(crate) async fn start_on(socket: &std::net::TcpListener, launch: &Launch) -> Relay {
        // For whom the socket is meant: the shell and what takes its place are one process.
        let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
        let mut command = launch.through_shell(script);
        let socket = FdMapping {
            parent_fd: socket.try_clone().unwrap().into(),
            child_fd: 3,
        };
        command.fd_mappings(vec![socket]).unwrap();
        Relay::watch(command).await
    }

    async fn watch(mut command: Command) -> Relay {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (count, lines) = watch::channel(0);
        let count = Arc::new(count);
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        tokio::spawn(collect(BufReader::new(stdout), log.clone(), count.clone()));
        tokio::spawn(collect(BufReader::new(stderr), log.clone(), count));
        let mut relay = Relay {
            address: ([127, 0, 0, 1], 0).into(),
            child,
            log,
            lines,
        };
        let ready = relay.wait_for_log(|line| line["message"] == "ready").await;
        relay.address = ready["address"].as_str().unwrap().parse().unwrap();
        relay
    }

    /// Waits for a line of the log.
    pub async fn wait_for_log(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                self.lines.mark_unchanged();
                let found = self
                    .log()
                    .iter()
                    .filter_map(|line| serde_json::from_str(line).ok())
                    .find(|line| is_it(line));
                if let Some(line) = found {
                    return line;
                }
                if self.lines.changed().await.is_err() {
                    panic!("the service ended; its log:\n{}", self.log().join("\n"));
                }
            }
        });
        match waited.await {
            Ok(line) => line,
            Err(_) => panic!(
                "the log did not say so; it says:\n{}",
                self.log().join("\n")
            ),
        }
    }

    /// Every line of the log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends it the signal of this name.
    pub async fn signal(&self, name: &str) {
        signal(self.pid(), name).await;
    }

    /// Stops it by SIGTERM. Returns the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM").await;
        self.ended().await
    }

    /// Waits until it has ended. Returns the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let status = tokio::time::timeout(GRACE, self.child.wait())
            .await
            .expect("it ends within its grace")
            .unwrap();
        // The readers end with the pipes: then the log is whole.
        while self.lines.changed().await.is_ok() {}
        status.code()
    }

    /// Ends it by SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the service's log:\n{}", self.log().join("\n"));
        }
    }
}

/// Sends a process the signal of this name.
pub async fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status()
        .await
        .unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

async fn collect(
    mut reader: impl tokio::io::AsyncBufRead + Unpin,
    log: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
) {
    let mut line = String::new();
    while reader.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        log.lock().unwrap().push(line.trim_end().to_owned());
        count.send_modify(|count| *count += 1);
        line.clear();
    }
}
