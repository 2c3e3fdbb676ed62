/// Drives a client to its end, over a socket whose writes time out.
fn drive<'c>(
    client: &mut Client,
    socket: &mut TcpStream,
    content: impl Fn(BodyRequest) -> Body<'c>,
    mut on_event: impl FnMut(Event<'_>),
) -> Result<(), Box<dyn std::error::Error>> {
    let (start, mut received, mut buffer) = (Instant::now(), Vec::new(), [0; 4096]);
    while !client.is_closed() {
        // What has arrived becomes events. What is unfinished stays, to be presented with more.
        let mut input = received.as_slice();
        while let Some(event) = client.poll_event(&mut input, start.elapsed())? {
            on_event(event);
        }
        received.drain(..received.len() - input.len());
        // What is to be written is offered; one of three words says what became of it.
        let body = client
            .wants_body()
            .map(|request| (request, content(request)));
        if let Some(transmit) = client.poll_transmit(body, start.elapsed()) {
            match socket.write(transmit.slices()[0]) {
                Ok(written) => drop(transmit.wrote(written, start.elapsed())),
                Err(error) if is_pending(&error) => transmit.blocked(start.elapsed()),
                Err(_) => transmit.failed(),
            }
        } else if client.wants_tls() {
            client.tls_failed(); // or a TLS library's handshake, and `tls_established`
        } else if client.wants_read() {
            // Never longer than until the client's time is up.
            let left = |at: Duration| at.saturating_sub(start.elapsed()).max(MILLISECOND);
            socket.set_read_timeout(client.poll_timeout().map(left))?;
            match socket.read(&mut buffer) {
                Ok(0) => client.handle_eof(),
                Ok(read) => received.extend_from_slice(&buffer[..read]),
                Err(error) if is_pending(&error) => {}
                Err(_) => client.handle_eof(),
            }
        }
        client.handle_timeout(start.elapsed());
    }
    Ok(())
}

fn is_pending(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
