use proptest::prelude::*;

use super::*;

const ANY: Expected = Expected { no_body: false, largest_body: 1 << 20 };

/// Status, the header `x`, body, rest, and whether the connection lives on.
type Seen = (u16, Option<Vec<u8>>, Vec<u8>, Vec<u8>, bool);

fn see(response: Response<'_>) -> Seen {
    let Response { status, body, rest, keep_alive, .. } = response;
    (status, response.header("X").map(Into::into), body.into(), rest.into(), keep_alive)
}

/// Feeds the pieces one by one, then the end.
fn read(pieces: &[&[u8]], expected: Expected) -> Result<Seen, WireError> {
    let mut reader = Reader::default();
    for piece in pieces {
        if let Some(seen) = reader.feed(piece, expected, see)? {
            return Ok(seen);
        }
    }
    reader.end(expected, see)
}

fn whole(text: &str) -> Result<Seen, WireError> {
    read(&[text.as_bytes()], ANY)
}

const PLAIN: &str = "HTTP/1.1 201 Created\r\nX: y\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nx: y\r\nTransfer-Encoding: chunked\r\n\r\n\
                       3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: t\r\n\r\n";
const CLOSED: &str = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello";

#[test]
fn a_body_ends_where_its_head_says() {
    let body = |status, keep_alive| {
        (status, Some(b"y".to_vec()), b"hello".to_vec(), Vec::new(), keep_alive)
    };
    assert_eq!(whole(PLAIN), Ok(body(201, true)));
    assert_eq!(whole(CHUNKED), Ok(body(200, true)));
    assert_eq!(whole(CLOSED), Ok(body(200, false)));
}

#[test]
fn answers_without_a_body_have_none_whatever_they_say() {
    let empty = |status| Ok((status, None, Vec::new(), Vec::new(), true));
    for status in [204, 304] {
        let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(whole(&text), empty(status));
    }
    let head = Expected { no_body: true, ..ANY };
    assert_eq!(read(&[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], head), empty(200));
    assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), empty(200));
}

#[test]
fn interim_answers_are_passed_over_and_a_change_of_protocol_is_not() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: no\r\n\r\n";
    let text = format!("{text}{PLAIN}");
    assert_eq!(whole(&text).unwrap().0, 201);
    for cut in 1..text.len() {
        let (first, second) = text.as_bytes().split_at(cut);
        assert_eq!(read(&[first, second], ANY), whole(PLAIN), "cut at {cut}");
    }
    let switched = whole("HTTP/1.1 101 Switching Protocols\r\nX: y\r\n\r\nframes").unwrap();
    assert_eq!((switched.0, switched.3.as_slice()), (101, &b"frames"[..]));
}

#[test]
fn a_connection_lives_on_only_where_both_sides_know_it() {
    let alive = |version: &str, header: &str| {
        let text = format!("HTTP/{version} 200 OK\r\n{header}Content-Length: 0\r\n\r\n");
        whole(&text).unwrap().4
    };
    assert!(alive("1.1", ""));
    assert!(!alive("1.1", "Connection: close\r\n"));
    assert!(!alive("1.1", "connection: upgrade, CLOSE\r\n"));
    assert!(!alive("1.0", ""));
    assert!(alive("1.0", "Connection: Keep-Alive\r\n"));
}

#[test]
fn what_is_no_answer_is_refused() {
    for (text, error) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", WireError::Head),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", WireError::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", WireError::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", WireError::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", WireError::TooLong),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", WireError::Chunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", WireError::Chunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n", WireError::Chunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", WireError::Ended),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", WireError::Ended),
        ("HTTP/1.1 200 OK\r\nContent-Le", WireError::Ended),
        ("", WireError::Ended),
    ] {
        assert_eq!(whole(text), Err(error), "{text}");
    }
    let endless = vec![b'a'; LARGEST_HEAD_BYTES + 1];
    let head = b"HTTP/1.1 200 OK\r\nX: ";
    assert_eq!(read(&[head, &endless], ANY), Err(WireError::LongHead));
    let small = Expected { largest_body: 4, ..ANY };
    for text in [PLAIN, CHUNKED, CLOSED] {
        assert_eq!(read(&[text.as_bytes()], small), Err(WireError::TooLong), "{text}");
    }
}

proptest! {
    #[test]
    fn the_pieces_that_an_answer_comes_in_do_not_matter(
        which in 0_usize..3,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = [PLAIN, CHUNKED, CLOSED][which].as_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read(&pieces, ANY), read(&[text], ANY));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>()) {
        let mut text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for prefix in [0, text.len()] {
            text.truncate(prefix);
            text.extend_from_slice(&bytes);
            let (first, second) = text.split_at(cut.index(text.len() + 1));
            let _ = read(&[first, second], ANY);
        }
    }
}
