//! The HTTP transport against a real server on the loopback interface.

#![cfg(feature = "witness-http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod fake_witness;
mod log_fixture;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use countersign::{
    canonical::Digest,
    log::{Checkpoint, Note, Signer},
    witness::{Call, HttpTransport, MOST_RESPONSE_BYTES, Request, Transport, TransportError},
};
use fake_witness::FakeWitness;
use futures::executor::block_on;
use log_fixture::golden;

/// What a client sent.
struct Asked {
    method: String,
    path: String,
    body: Vec<u8>,
}

/// Serves until the test ends.
fn serve(answer: impl Fn(Asked, &mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if let Some(asked) = read_request(&stream) {
                answer(asked, &mut stream);
            }
        }
    });
    address
}

fn read_request(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, body })
}

fn write_answer(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    // A client that has heard enough has gone.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

fn transport() -> HttpTransport {
    HttpTransport::new().dangerous_without_tls()
}

fn get(transport: &HttpTransport, url: String) -> Result<(u16, Vec<u8>), TransportError> {
    let request = Request {
        url,
        call: Call::Get,
    };
    block_on(transport.exchange(request)).map(|answer| (answer.status, answer.body))
}

#[test]
fn a_witness_is_asked_over_http() {
    let writer = golden();
    let origin = writer.genesis.origin().clone();
    let key = writer.keys.checkpoint.public().clone();
    let witness = FakeWitness::new(1, &[(origin.clone(), key.clone())]);
    let serving = Arc::clone(&witness);
    let address = serve(move |asked, stream| {
        let call = match asked.method.as_str() {
            "GET" => Call::Get,
            "POST" => Call::Post(asked.body),
            other => panic!("{other}"),
        };
        let answer = serving.answer(&asked.path, &call);
        write_answer(stream, answer.status, "", &answer.body);
    });
    let add = |old: u64| {
        let note = String::from_utf8(writer.sign_checkpoint()).unwrap();
        let request = Request {
            url: format!("http://{address}/add-checkpoint"),
            call: Call::Post(format!("old {old}\n\n{note}").into_bytes()),
        };
        block_on(transport().exchange(request)).unwrap()
    };
    let answer = add(0);
    assert_eq!(answer.status, 200);
    let mut note = writer.sign_checkpoint();
    note.extend_from_slice(&answer.body);
    assert_eq!(Note::parse(&note).unwrap().signatures().len(), 3);
    // What is no success is an answer all the same.
    let answer = add(0);
    assert_eq!((answer.status, answer.body), (409, b"12\n".to_vec()));
    let hash = Digest::sha256(origin.as_str().as_bytes());
    let (status, note) = get(&transport(), format!("http://{address}/{hash}/checkpoint")).unwrap();
    assert_eq!(status, 200);
    let (checkpoint, _) = Checkpoint::verify(&note, &origin, [&key]).unwrap();
    assert_eq!(checkpoint.size, 12);
    assert_eq!(
        get(&transport(), format!("http://{address}/else"))
            .unwrap()
            .0,
        404
    );
}

#[test]
fn without_tls_nothing_is_sent_unless_the_host_said_so() {
    let address = serve(|_, _| panic!("it was asked"));
    let refused = get(&HttpTransport::new(), format!("http://{address}/")).unwrap_err();
    assert!(refused.to_string().contains("https"), "{refused}");
}

#[test]
fn a_redirection_is_an_answer_and_is_not_followed() {
    let address = serve(|asked, stream| {
        assert_eq!(asked.path, "/");
        write_answer(stream, 302, "location: /elsewhere\r\n", b"");
    });
    let answer = get(&transport(), format!("http://{address}/")).unwrap();
    assert_eq!(answer.0, 302);
}

#[test]
fn an_answer_without_an_end_is_cut_off() {
    let address = serve(|asked, stream| {
        let more = usize::from(asked.path == "/more");
        write_answer(stream, 200, "", &vec![b'x'; MOST_RESPONSE_BYTES + more]);
    });
    let whole = get(&transport(), format!("http://{address}/most")).unwrap();
    assert_eq!(whole.1.len(), MOST_RESPONSE_BYTES);
    assert!(get(&transport(), format!("http://{address}/more")).is_err());
}

#[test]
fn a_witness_that_does_not_answer_is_given_up() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let address = serve(move |_, _| {
        let _ = held.recv();
    });
    let hurried = transport().with_patience(Duration::from_millis(200));
    assert!(get(&hurried, format!("http://{address}/")).is_err());
    drop(hold);
    // Nor is one that is not there waited for.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert!(get(&hurried, format!("http://{gone}/")).is_err());
}
