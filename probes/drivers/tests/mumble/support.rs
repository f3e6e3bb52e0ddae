//! A Mumble server of our own, and a client that speaks and hears bare packets.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use jiho_drivers::mumble::{Connection, connect};
use jiho_proto::mumble::crypt::Crypt;
use jiho_proto::mumble::voice::{Packet, Sender, Voice};
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "a room's password";
pub(crate) const MODERATOR_PASSWORD: &str = "a moderator's password";
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const LOG: &str = "server.log";

/// A server with an empty folder and a free port. Ends when it is dropped.
pub(crate) struct Server {
    process: Child,
    folder: TempDir,
    pub(crate) address: String,
}

impl Server {
    /// Waits until it takes connections. `None`, with words, if the host has no such server.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            let reason = "there is no Mumble server here: install the package mumble-server";
            assert!(
                std::env::var_os("JIHO_REQUIRE_TOOLS").is_none_or(|set| set != "1"),
                "JIHO_REQUIRE_TOOLS=1, but {reason}"
            );
            eprintln!("skipped: {reason}");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        // Somebody else may take it before the server does: then this fails, and says so.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        // Started by root it would become another user, to whom our folder is closed.
        let settings = format!(
            "database={}\npidfile={}\nhost=127.0.0.1\nport={port}\nserverpassword=\"{PASSWORD}\"\nuname=root\n\
             bonjour=false\nautobanAttempts=0\nbandwidth=558000\nusers=20\nopusthreshold=0\n",
            at("server.sqlite"),
            at("server.pid"),
        );
        let ini = folder.path().join("own.ini");
        fs::write(&ini, settings).unwrap();
        let command = || {
            let mut command = Command::new(&program);
            // In the foreground it logs to where errors go.
            let log = File::options().create(true).append(true).open(folder.path().join(LOG)).unwrap();
            command.arg("-ini").arg(&ini).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            command
        };
        command().args(["-supw", MODERATOR_PASSWORD]).status().unwrap();
        let process = command().arg("-fg").spawn().unwrap();
        let mut server = Self { process, folder, address: format!("127.0.0.1:{port}") };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(&server.address).is_err() {
            let exit = server.process.try_wait().unwrap();
            assert!(exit.is_none() && Instant::now() < until, "the server does not start: {exit:?}\n{}", server.log());
            sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    pub(crate) async fn client(&self, name: &str) -> Client {
        let connection = connect(&self.address, name, Some(PASSWORD), PATIENCE)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        let mut client = Client::new(connection);
        client.find_way();
        client
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.flat_map(|folder| ["murmurd", "mumble-server"].map(|name| folder.join(name))).find(|file| file.is_file())
}

/// A place on the server, and a socket for voice.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    crypt: Crypt,
    socket: UdpSocket,
    plain: Vec<u8>,
}

/// What was heard: session, sequence number, terminator, payload.
pub(crate) type Heard = (Option<u32>, u64, bool, Vec<u8>);

impl Client {
    fn new(connection: Connection) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server: SocketAddr = connection.server;
        socket.connect(server).unwrap();
        let crypt = Crypt::client(&connection.keys);
        Self { connection, crypt, socket, plain: Vec::new() }
    }

    /// Pings until an answer comes: from then on the server sends by UDP.
    fn find_way(&mut self) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            self.send(&Packet::Ping { timestamp: 7 });
            if let Some(Packet::Ping { timestamp }) = self.receive(Duration::from_millis(200)) {
                assert_eq!(timestamp, 7);
                return;
            }
        }
        panic!("no ping was answered");
    }

    pub(crate) fn say(&mut self, sequence: u64, terminator: bool, payload: &[u8]) {
        let voice = Voice { target: 0, session: None, sequence, terminator, payload, position: &[] };
        self.send(&Packet::Voice(voice));
    }

    /// Everybody's voice, until so many packets have come or none has for a while.
    pub(crate) fn hear(&mut self, most: usize, silence: Duration) -> Vec<Heard> {
        let mut heard = Vec::new();
        while heard.len() < most {
            match self.receive(silence) {
                Some(Packet::Voice(voice)) => {
                    heard.push((voice.session, voice.sequence, voice.terminator, voice.payload.to_vec()));
                }
                Some(Packet::Ping { .. }) => {}
                None => break,
            }
        }
        heard
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let (mut plain, mut datagram) = (Vec::new(), Vec::new());
        packet.emit(&mut plain).unwrap();
        self.crypt.encrypt(&plain, &mut datagram);
        self.socket.send(&datagram).unwrap();
    }

    fn receive(&mut self, patience: Duration) -> Option<Packet<'_>> {
        let mut datagram = [0; 2048];
        self.socket.set_read_timeout(Some(patience)).unwrap();
        match self.socket.recv(&mut datagram) {
            Ok(len) => {
                self.crypt.decrypt(&datagram[..len], &mut self.plain).unwrap();
                Some(Packet::parse(&self.plain, Sender::Server).unwrap())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    }
}
