fn serve<'s>(
    mut server: Server,
    socket: &'s TcpStream,
    handshake: impl Fn(&'s TcpStream) -> io::Result<(Box<dyn Stream + 's>, TlsInfo)>,
    mut on_event: impl FnMut(&mut Server, Event<'_>),
) -> Result<(), machine::Error> {
    let (mut stream, mut held, mut buffer) = (Box::new(socket) as Box<dyn Stream>, vec![], [0; 8192]);
    while !server.is_closed() {
        // 1. What arrived becomes events. What is unfinished, or has to wait, stays where it is.
        let mut input = &held[..];
        while let Some(event) = server.poll_event(&mut input, now())? { on_event(&mut server, event) }
        held.drain(..held.len() - input.len());
        // 2. Nothing waits for longer than until the next timer. A time of 0 would mean for ever.
        let left = server.poll_timeout().map_or(MILLISECOND, |at| at.saturating_sub(now()).clamp(MILLISECOND, SECOND));
        let _ = socket.set_read_timeout(Some(left)).and(socket.set_write_timeout(Some(left)));
        // 3. Replies are written, in as many pieces as the transport takes.
        if let Some(transmit) = server.poll_transmit(now()) {
            match stream.write(transmit.slices()[0]) {
                Ok(written) => drop(transmit.wrote(written, now())),
                Err(error) if is_wait(&error) => transmit.blocked(now()),
                Err(_) => transmit.failed(),
            }
        } else if server.wants_tls() {
            // 4. The handshake is done on the socket. What follows goes through what it has made of it.
            let Ok((secured, info)) = handshake(socket) else { server.tls_failed(); continue };
            (stream, _) = (secured, server.tls_established(info, now()));
        } else if server.wants_read() {
            // 5. What comes next is awaited, unless nothing is of use before a timer.
            match stream.read(&mut buffer) {
                Ok(read) if read > 0 => held.extend_from_slice(&buffer[..read]),
                Err(error) if is_wait(&error) => {}
                _ => server.handle_eof(),
            }
        } else { thread::sleep(left) }
        server.handle_timeout(now());
    }
    Ok(())
}
