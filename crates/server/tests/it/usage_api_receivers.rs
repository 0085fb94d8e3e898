//! Receivers of callbacks as the world has them: some take what comes, some fail, hang, redirect,
//! trickle or lie. The address says how each call of it ends, so that a receiver knows no plan.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use calendar::{Instant, SystemClock, WallClock};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How much [`Manner::Sips`] reads at a time, in bytes, and how often: 640 KiB a second at most.
const SIP_BYTES: u32 = 64 * 1024;
const SIP_EVERY: Duration = Duration::from_millis(100);

/// What a receiver does with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes it.
    Takes,
    /// Answers a status.
    Answers(u16),
    /// Answers a status, and after how many seconds it wants to be called again.
    Asks(u16, u32),
    /// Takes it, sip by sip.
    Sips,
    /// Reads everything and says nothing.
    Hangs,
    /// Ends the connection before it reads.
    Slams,
    /// Ends the connection once it has read everything.
    Mute,
    /// Sends the caller elsewhere.
    Redirects,
    /// Answers so slowly that no answer comes to its end.
    Trickles,
    /// Answers with no HTTP.
    Babbles,
    /// Takes it, and answers with more bytes than anybody wants to read.
    Floods,
    /// Takes it, and says that its answer is longer than it is.
    Lies,
}

impl Manner {
    /// Its word in an address.
    pub(crate) fn word(self) -> String {
        match self {
            Manner::Takes => "takes".to_owned(),
            Manner::Answers(status) => format!("s{status}"),
            Manner::Asks(status, after_s) => format!("s{status}after{after_s}"),
            Manner::Sips => "sips".to_owned(),
            Manner::Hangs => "hangs".to_owned(),
            Manner::Slams => "slams".to_owned(),
            Manner::Mute => "mute".to_owned(),
            Manner::Redirects => "redirects".to_owned(),
            Manner::Trickles => "trickles".to_owned(),
            Manner::Babbles => "babbles".to_owned(),
            Manner::Floods => "floods".to_owned(),
            Manner::Lies => "lies".to_owned(),
        }
    }

    fn of(word: &str) -> Manner {
        let number = |digits: &str| digits.parse().expect("a number");
        match word {
            "takes" => Manner::Takes,
            "sips" => Manner::Sips,
            "hangs" => Manner::Hangs,
            "slams" => Manner::Slams,
            "mute" => Manner::Mute,
            "redirects" => Manner::Redirects,
            "trickles" => Manner::Trickles,
            "babbles" => Manner::Babbles,
            "floods" => Manner::Floods,
            "lies" => Manner::Lies,
            other => {
                let status = other.strip_prefix('s').unwrap_or_else(|| panic!("{other}"));
                match status.split_once("after") {
                    Some((status, after)) => {
                        Manner::Asks(status.parse().expect("a status"), number(after))
                    }
                    None => Manner::Answers(status.parse().expect("a status")),
                }
            }
        }
    }

    /// Whether who calls has been told that the call was taken.
    pub(crate) const fn is_taken(self) -> bool {
        match self {
            Manner::Takes | Manner::Sips | Manner::Floods | Manner::Lies => true,
            Manner::Answers(status) | Manner::Asks(status, _) => status >= 200 && status < 300,
            Manner::Hangs
            | Manner::Slams
            | Manner::Mute
            | Manner::Redirects
            | Manner::Trickles
            | Manner::Babbles => false,
        }
    }
}

/// One call, as a receiver has it.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) at: Instant,
    pub(crate) verb: String,
    /// With names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// All of it; nothing where it was not read.
    pub(crate) body: Vec<u8>,
    pub(crate) manner: Manner,
}

impl Called {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    /// That the call is signed with a secret, over its id, its time and these very bytes.
    pub(crate) fn check_signed(&self, secret: &str) {
        self.keep(secret);
        let key = secret.strip_prefix("whsec_").expect("the prefix of secrets");
        let key = BASE64_STANDARD.decode(key).expect("base64");
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).expect("a key");
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        let all: Vec<&str> = self.header("webhook-signature").split(' ').collect();
        assert!(all.contains(&expected.as_str()), "{id} at {at}: {all:?}");
        let at_s: i64 = at.parse().expect("seconds");
        let away_s = (self.at.seconds() - at_s).abs();
        assert!(away_s < 300, "{id}: signed {away_s} s away from when it came");
    }

    /// Keeps the call in the file that `RECKONER_DELIVERIES` names: there the published packages of
    /// Standard Webhooks verify it, once the tests are through.
    fn keep(&self, secret: &str) {
        let Ok(path) = std::env::var("RECKONER_DELIVERIES") else { return };
        let body = BASE64_STANDARD.encode(&self.body);
        let (at_ms, headers) = (self.at.micros() / 1_000, &self.headers);
        let line = json!({ "secret": secret, "at_ms": at_ms, "headers": headers, "body": body });
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
        file.write_all(format!("{line}\n").as_bytes()).expect("a line is written");
    }
}

/// Calls by the path that was called.
type Calls = Arc<Mutex<BTreeMap<String, Vec<Called>>>>;

/// Somebody who listens on loopback until the test ends.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) port: u16,
    calls: Calls,
}

impl Receiver {
    pub(crate) async fn new() -> Receiver {
        Receiver::on(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    /// One whose connections hold little that it has not read: who calls has to wait for it.
    pub(crate) fn narrow() -> Receiver {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(SIP_BYTES).expect("a size");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        Receiver::on(socket.listen(16).expect("a listener"))
    }

    fn on(listener: TcpListener) -> Receiver {
        let port = listener.local_addr().expect("an address").port();
        let receiver = Receiver { port, calls: Calls::default() };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                // A caller that goes away in the middle is no fault of the receiver's.
                tokio::spawn(async move { own.take(stream).await.ok() });
            }
        });
        receiver
    }

    /// An address that is called by a name; each call ends in its manner, the last one's from then
    /// on.
    pub(crate) fn url(&self, name: &str, manners: &[Manner]) -> String {
        format!("http://127.0.0.1:{}{}", self.port, Receiver::path(name, manners))
    }

    fn path(name: &str, manners: &[Manner]) -> String {
        let words: Vec<String> = manners.iter().map(|manner| manner.word()).collect();
        format!("/{}/{name}", words.join(","))
    }

    /// What came to an address so far.
    pub(crate) fn calls(&self, name: &str, manners: &[Manner]) -> Vec<Called> {
        let calls = self.calls.lock().expect("no panic");
        calls.get(&Receiver::path(name, manners)).cloned().unwrap_or_default()
    }

    /// How many calls came in all.
    pub(crate) fn count(&self) -> usize {
        self.calls.lock().expect("no panic").values().map(Vec::len).sum()
    }

    /// The paths that were called.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.calls.lock().expect("no panic").keys().cloned().collect()
    }

    /// Waits for so many calls to an address.
    pub(crate) async fn wait(&self, name: &str, manners: &[Manner], count: usize) -> Vec<Called> {
        for _ in 0..6_000 {
            let calls = self.calls(name, manners);
            if calls.len() >= count {
                return calls;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name}: {} of {count} calls came", self.calls(name, manners).len());
    }

    /// Which manner the next call of a path has.
    fn manner(&self, path: &str) -> Manner {
        let words = path.split('/').nth(1).unwrap_or_default();
        let calls = self.calls.lock().expect("no panic").get(path).map_or(0, Vec::len);
        let words: Vec<&str> = words.split(',').collect();
        Manner::of(words[calls.min(words.len() - 1)])
    }

    async fn take(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let mut words = line.split_whitespace();
        let (Some(verb), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
        let (verb, path) = (verb.to_owned(), path.to_owned());
        let manner = self.manner(&path);
        let headers = headers(&mut stream).await?;
        let body = match manner {
            Manner::Slams => Vec::new(),
            Manner::Sips => sips(&mut stream, &headers).await?,
            _ => body(&mut stream, &headers).await?,
        };
        let called = Called { at: WallClock.now(), verb, headers, body, manner };
        self.calls.lock().expect("no panic").entry(path).or_default().push(called);
        self.answer(&mut stream.into_inner(), manner).await
    }

    async fn answer(&self, stream: &mut TcpStream, manner: Manner) -> std::io::Result<()> {
        let plain = |status: u16, more: &str| {
            format!(
                "HTTP/1.1 {status} said\r\ncontent-length: 0\r\nconnection: close\r\n{more}\r\n"
            )
        };
        let told = match manner {
            Manner::Takes | Manner::Sips => plain(200, ""),
            Manner::Answers(status) => plain(status, ""),
            Manner::Asks(status, after_s) => plain(status, &format!("retry-after: {after_s}\r\n")),
            Manner::Slams | Manner::Mute => return Ok(()),
            Manner::Redirects => {
                let elsewhere = format!("http://127.0.0.1:{}/takes/elsewhere", self.port);
                plain(307, &format!("location: {elsewhere}\r\n"))
            }
            Manner::Babbles => "\u{1}\u{2} no protocol at all \r\n\r\n".to_owned(),
            Manner::Lies => "HTTP/1.1 200 said\r\ncontent-length: 4096\r\n\r\nshort".to_owned(),
            Manner::Hangs => {
                // Until the caller goes away.
                stream.read_to_end(&mut Vec::new()).await?;
                return Ok(());
            }
            Manner::Trickles => return trickle(stream).await,
            Manner::Floods => return flood(stream).await,
        };
        stream.write_all(told.as_bytes()).await?;
        stream.shutdown().await
    }
}

/// A byte of a head that never ends, every tenth of a second.
async fn trickle(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 said\r\nx-slow: ").await?;
    for _ in 0..6_000 {
        stream.write_all(b"a").await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// 64 MiB that a careful caller leaves where they are.
async fn flood(stream: &mut TcpStream) -> std::io::Result<()> {
    let length = 64_usize << 20;
    let head = format!("HTTP/1.1 200 said\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let block = vec![b'a'; 1 << 16];
    for _ in 0..length / block.len() {
        stream.write_all(&block).await?;
    }
    Ok(())
}

async fn headers(stream: &mut BufReader<TcpStream>) -> std::io::Result<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(headers) };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

/// A body of a given length, a sip every tenth of a second.
async fn sips(
    stream: &mut BufReader<TcpStream>,
    headers: &BTreeMap<String, String>,
) -> std::io::Result<Vec<u8>> {
    let length: usize = headers["content-length"].parse().expect("a length");
    let sip = usize::try_from(SIP_BYTES).expect("small");
    let mut body = vec![0; length];
    for some in body.chunks_mut(sip) {
        tokio::time::sleep(SIP_EVERY).await;
        stream.read_exact(some).await?;
    }
    Ok(body)
}

/// A body of a given length, or in chunks.
async fn body(
    stream: &mut BufReader<TcpStream>,
    headers: &BTreeMap<String, String>,
) -> std::io::Result<Vec<u8>> {
    if headers.get("expect").is_some() {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    if let Some(length) = headers.get("content-length") {
        let mut body = vec![0; length.parse().expect("a length")];
        stream.read_exact(&mut body).await?;
        return Ok(body);
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_none_or(|encoding| encoding != "chunked") {
        return Ok(body);
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let size = line.trim_end().split(';').next().unwrap_or_default();
        let Ok(size) = usize::from_str_radix(size, 16) else {
            return Err(std::io::Error::other("the caller went away"));
        };
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).await?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

#[test]
fn an_address_says_how_each_call_of_it_ends() {
    let all = [
        Manner::Takes,
        Manner::Answers(500),
        Manner::Asks(429, 2),
        Manner::Sips,
        Manner::Hangs,
        Manner::Slams,
        Manner::Mute,
        Manner::Redirects,
        Manner::Trickles,
        Manner::Babbles,
        Manner::Floods,
        Manner::Lies,
    ];
    for manner in all {
        assert_eq!(Manner::of(&manner.word()), manner);
    }
    let path = Receiver::path("one", &[Manner::Answers(503), Manner::Takes]);
    assert_eq!(path, "/s503,takes/one");
}
