//! HDR histograms as text: V2 deflated, base64, as the HDR tools of all languages read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use hdrhistogram::{Counter, Histogram};

/// An encoding into memory cannot fail for our fixed bounds; if it did, the text would be empty
/// and the reader would report it.
pub(crate) fn encode<T: Counter>(histogram: &Histogram<T>) -> String {
    let mut bytes = Vec::new();
    match V2DeflateSerializer::new().serialize(histogram, &mut bytes) {
        Ok(_) => STANDARD.encode(bytes),
        Err(_) => String::new(),
    }
}

/// The reverse of [`encode`]; the error says in words what is wrong.
pub(crate) fn decode<T: Counter>(text: &str) -> Result<Histogram<T>, String> {
    let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| error.to_string())
}
