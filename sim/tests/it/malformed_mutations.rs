//! Sound requests of every API and version, spoiled in every place: answered or refused, never a panic,
//! never a response out of all proportion.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use kafka_protocol::messages as m;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use sim::{Broker, Session};
use tokio::runtime::Runtime;

use crate::malformed::still_serves;
use crate::requests::{SAMPLES, served};
use crate::wire::Wire;
use crate::{panics, requests};

/// A spoiled request may make 50,000 partitions, and the next ask for all of them.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;
const SIZE_BYTES: usize = 4;
/// API key and version decide who reads the rest; they are spoiled elsewhere.
const SPOILED_FROM: usize = SIZE_BYTES + 4;

#[derive(Debug, PartialEq)]
enum End {
    Answered,
    Refused,
    Waiting,
}

/// One request, without its size, on a session that is new or still open.
fn ask(broker: &Broker, session: &mut Session, frame: &[u8]) -> End {
    let end = {
        let answer = pin!(session.request(Bytes::copy_from_slice(frame)));
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => End::Waiting,
            Poll::Ready(Err(_)) => End::Refused,
            Poll::Ready(Ok(response)) => {
                let bytes = response.map_or(0, |response| response.len());
                assert!(bytes <= MAX_RESPONSE_BYTES, "{bytes} bytes for {frame:02x?}");
                End::Answered
            }
        }
    };
    if end == End::Refused {
        *session = broker.session();
    }
    end
}

/// Every API with its versions, as the broker tells them.
fn apis() -> Vec<(&'static requests::Sample, Vec<i16>)> {
    let runtime = Runtime::new().unwrap();
    let broker = Broker::start().unwrap();
    let versions = runtime.block_on(async {
        let mut wire = Wire::connect(broker.address()).await;
        wire.call(0, &m::ApiVersionsRequest::default()).await
    });
    let apis = versions.api_keys.iter().map(|api| {
        let sample = SAMPLES.iter().find(|sample| sample.key == api.api_key);
        let sample = sample.unwrap_or_else(|| panic!("API {} has no sample", api.api_key));
        (sample, served(api).collect())
    });
    apis.collect()
}

#[test]
fn every_request_cut_short_at_any_byte_is_refused_and_the_whole_one_is_not() {
    for (sample, versions) in apis() {
        let broker = Broker::start().unwrap();
        let mut session = broker.session();
        for version in versions {
            let frame = sample.frame(version, 1);
            let frame = &frame[SIZE_BYTES..];
            for cut in 0..frame.len() {
                let end = ask(&broker, &mut session, &frame[..cut]);
                assert_eq!(end, End::Refused, "API {} v{version} at {cut}", sample.key);
            }
            let end = ask(&broker, &mut session, frame);
            assert_ne!(end, End::Refused, "API {} v{version}", sample.key);
        }
    }
}

/// Wherever a length, a count or a size is: here it lies.
#[test]
fn numbers_that_lie_in_any_place_hurt_nobody() {
    let lies: [&[u8]; 7] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0x7f, 0xff],
        &[0x80, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff; 10],
    ];
    for (sample, versions) in apis() {
        let broker = Broker::start().unwrap();
        let mut session = broker.session();
        for version in versions {
            let sound = sample.frame(version, 1);
            let sound = &sound[SIZE_BYTES..];
            for at in 4..sound.len() {
                for lie in lies {
                    let mut frame = sound.to_vec();
                    let end = (at + lie.len()).min(frame.len());
                    frame[at..end].copy_from_slice(&lie[..end - at]);
                    ask(&broker, &mut session, &frame);
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Spoil {
    Flip(Index, u8),
    Number(Index, i32),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
}

impl Spoil {
    fn any() -> impl Strategy<Value = Self> {
        let number = prop_oneof![
            any::<i32>(),
            -2..10i32,
            select(vec![i32::MAX, i32::MIN, 1 << 16, 100_000])
        ];
        prop_oneof![
            (any::<Index>(), 1..=u8::MAX).prop_map(|(at, by)| Self::Flip(at, by)),
            (any::<Index>(), number).prop_map(|(at, number)| Self::Number(at, number)),
            any::<Index>().prop_map(Self::Cut),
            (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20))
                .prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Self::Repeat(from, to)),
        ]
    }

    fn apply(&self, frame: &mut Vec<u8>) {
        let place = |at: &Index, frame: &[u8]| {
            SPOILED_FROM + at.index((frame.len() - SPOILED_FROM).max(1)).min(frame.len())
        };
        match self {
            _ if frame.len() <= SPOILED_FROM => {}
            Self::Flip(at, by) => {
                let at = place(at, frame);
                frame[at] ^= by;
            }
            Self::Number(at, number) => {
                let at = place(at, frame);
                let end = (at + 4).min(frame.len());
                frame[at..end].copy_from_slice(&number.to_be_bytes()[..end - at]);
            }
            Self::Cut(at) => frame.truncate(place(at, frame)),
            Self::Insert(at, bytes) => {
                let at = place(at, frame);
                frame.splice(at..at, bytes.iter().copied());
            }
            Self::Repeat(from, to) => {
                let (from, to) = (place(from, frame), place(to, frame));
                let piece = frame[from.min(to)..from.max(to)].to_vec();
                frame.splice(to..to, piece);
            }
        }
    }
}

/// A request of any API and version, with some things wrong with it.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let samples: Vec<Bytes> = apis()
        .into_iter()
        .flat_map(|(sample, versions)| {
            versions.into_iter().map(|version| sample.frame(version, 1)).collect::<Vec<_>>()
        })
        .collect();
    (select(samples), prop::collection::vec(Spoil::any(), 0..4)).prop_map(|(sample, spoils)| {
        let mut frame = sample.to_vec();
        for spoil in spoils {
            spoil.apply(&mut frame);
        }
        let size = (frame.len() - SIZE_BYTES) as u32;
        frame[..SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
        frame
    })
}

#[test]
fn sequences_of_spoiled_requests_hurt_nobody() {
    let mut runner = TestRunner::new(Config::with_cases(200));
    runner
        .run(&prop::collection::vec(spoiled(), 1..30), |frames| {
            let broker = Broker::start().unwrap();
            let mut session = broker.session();
            for frame in frames {
                ask(&broker, &mut session, &frame[SIZE_BYTES..]);
            }
            Ok(())
        })
        .unwrap();
}

/// The same over a socket, where sizes lie too, and with bytes that never were a request.
#[test]
fn streams_of_rubbish_end_with_their_connection() {
    panics::watch();
    let runtime = Runtime::new().unwrap();
    let broker = Broker::start().unwrap();
    let rubbish = prop::collection::vec(any::<u8>(), 0..300);
    let wrong_size = (spoiled(), any::<i32>()).prop_map(|(mut frame, size)| {
        frame[..SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
        frame
    });
    let piece = prop_oneof![4 => spoiled(), 1 => wrong_size, 1 => rubbish];
    let mut runner = TestRunner::new(Config::with_cases(200));
    runner
        .run(&prop::collection::vec(piece, 1..10), |pieces| {
            runtime.block_on(async {
                let mut wire = Wire::connect(broker.address()).await;
                wire.send_all(&pieces.concat()).await;
                while wire.receive_frame().await.is_some() {}
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(still_serves(&broker));
}
