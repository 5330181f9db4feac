//! A question to a DNS server: does it know the cluster's own service?

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// What every cluster has, unless its domain was changed.
pub(crate) const NAME: &str = "kubernetes.default.svc.cluster.local";

/// Lost packets are asked for again.
const ATTEMPTS: u32 = 3;
const WAIT: Duration = Duration::from_secs(2);

/// The identification of our question.
const ID: u16 = 0x7eff;

/// Asks for the addresses of a name.
pub(crate) fn ask(server: &str, name: &str) -> Result<String> {
    let address: SocketAddr = match server.parse() {
        Ok(address) => address,
        Err(_) => (
            server
                .parse::<std::net::IpAddr>()
                .with_context(|| format!("--dns {server}: this is no address"))?,
            53,
        )
            .into(),
    };
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(WAIT))?;
    let question = question(name)?;
    let mut answer = [0; 1500];
    for _ in 0..ATTEMPTS {
        socket.send(&question)?;
        match socket.recv(&mut answer) {
            Ok(length) => {
                let addresses = read(&answer[..length], &question)?;
                return Ok(format!(
                    "{server} knows {name} ({addresses} address records)"
                ));
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => bail!("{server}: {e}"),
        }
    }
    bail!("{server} does not answer, asked {ATTEMPTS} times")
}

/// RFC 1035: a header, and one question for A records of the Internet.
fn question(name: &str) -> Result<Vec<u8>> {
    let [high, low] = ID.to_be_bytes();
    // Recursion is desired.
    let mut message = vec![high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        ensure!((1..64).contains(&label.len()), "{name:?} is no name");
        message.push(label.len() as u8);
        message.extend(label.bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    Ok(message)
}

/// The number of records in an answer.
fn read(answer: &[u8], question: &[u8]) -> Result<u16> {
    ensure!(
        answer.len() >= question.len() && answer[..2] == question[..2] && answer[2] & 0x80 != 0,
        "what came is no answer to the question"
    );
    match answer[3] & 15 {
        0 => {}
        3 => bail!("the server says that there is no such name; is it the cluster's?"),
        code => bail!("the server answers with error {code}"),
    }
    match u16::from_be_bytes([answer[6], answer[7]]) {
        0 => bail!("the server has no address for the name"),
        records => Ok(records),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers one question with a code and so many records.
    fn served(code: u8, records: u8) -> Result<String> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let mut buffer = [0; 512];
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            assert!(buffer[..length].ends_with(b"\x07cluster\x05local\0\0\x01\0\x01"));
            buffer[2] |= 0x80;
            buffer[3] |= code;
            buffer[7] = records;
            socket.send_to(&buffer[..length], from).unwrap();
        });
        let result = ask(&address, NAME);
        server.join().unwrap();
        result
    }

    #[test]
    fn answers() {
        assert!(served(0, 2).unwrap().contains("2 address records"));
        assert!(served(0, 0).unwrap_err().to_string().contains("no address"));
        assert!(
            served(3, 0)
                .unwrap_err()
                .to_string()
                .contains("no such name")
        );
        assert!(served(2, 0).unwrap_err().to_string().contains("error 2"));
        assert!(ask("nonsense", NAME).is_err());
        assert!(read(&[0; 5], &question(NAME).unwrap()).is_err());
        assert!(question("a..b").is_err());
    }
}
