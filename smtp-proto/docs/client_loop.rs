/// Drives a client to its end, over a socket whose writes time out.
fn drive<'c>(
    client: &mut Client,
    socket: &mut TcpStream,
    content: impl Fn(BodyRequest) -> Body<'c>,
    mut on_event: impl FnMut(Event<'_>),
) -> Result<(), Box<dyn std::error::Error>> {
    let (start, mut received, mut buffer) = (Instant::now(), Vec::new(), [0; 4096]);
    let now = || start.elapsed();
    while !client.is_closed() {
        // What has arrived becomes events. What is unfinished stays, to be presented with more.
        let mut input = received.as_slice();
        while let Some(event) = client.poll_event(&mut input, now())? { on_event(event) }
        received.drain(..received.len() - input.len());
        // What is to be written is offered; one of three words says what became of it.
        let body = client.wants_body().map(|request| (request, content(request)));
        if let Some(transmit) = client.poll_transmit(body, now()) {
            match socket.write(transmit.slices()[0]) {
                Ok(written) => drop(transmit.wrote(written, now())),
                Err(error) if is_pending(&error) => transmit.blocked(now()),
                Err(_) => transmit.failed(),
            }
        } else if client.wants_tls() {
            client.tls_failed(); // or a TLS library's handshake, and `tls_established`
        } else if client.wants_read() {
            // Never longer than until the client's time is up.
            let left = client.poll_timeout().map(|at| at.saturating_sub(now()).max(MILLISECOND));
            socket.set_read_timeout(left)?;
            match socket.read(&mut buffer) {
                Ok(read) if read > 0 => received.extend_from_slice(&buffer[..read]),
                Err(error) if is_pending(&error) => {}
                _ => client.handle_eof(),
            }
        }
        client.handle_timeout(now());
    }
    Ok(())
}

fn is_pending(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
