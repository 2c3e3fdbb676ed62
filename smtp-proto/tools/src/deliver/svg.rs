//! Time-sequence diagrams as a picture, narrow enough for a column of 800 pixels.

use std::{fmt::Write as _, time::Duration};

use super::ladder::{Ladder, Round};

/// Lengths in pixels.
const LEFT: usize = 52;
const PANEL: usize = 187;
const CLIENT: usize = 75;
const SERVER: usize = 123;
const TOP: usize = 98;
const ROW: usize = 15;
/// What a round trip takes on the time axis, unless more rows must fit.
const ROUND_TRIP: usize = 66;
/// How many characters a row has on either side.
const CLIENT_ROOM: usize = 9;
const SERVER_ROOM: usize = 7;

const STYLE: &str = "<style>
.ground { fill: #ffffff }
.title { font: 600 15px system-ui, sans-serif; fill: #1b2733 }
.note { font: 12px system-ui, sans-serif; fill: #57646f }
.tick { font-size: 11px; fill: #76828d; text-anchor: end }
.grid { stroke: #e4e8ec }
.life { fill: none; stroke: #8a96a1; stroke-width: 1.5 }
.client { fill: #1f5fa8; text-anchor: end }
.server { fill: #2b7d46 }
.there { stroke: #1f5fa8; stroke-width: 1.6; marker-end: url(#there) }
.back { stroke: #2b7d46; stroke-width: 1.6; marker-end: url(#back) }
.done { stroke: #c05a1c; stroke-width: 1.5; stroke-dasharray: 5 4 }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 }
.title { fill: #e6edf3 }
.note { fill: #a3adb8 }
.tick { fill: #8b949e }
.grid { stroke: #21262d }
.life { stroke: #6e7681 }
.client { fill: #79b8ff }
.server { fill: #6fd08c }
.there { stroke: #79b8ff }
.back { stroke: #6fd08c }
.done { stroke: #f0883e }
}
</style>
<defs>
<marker id=\"there\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" \
orient=\"auto\"><path class=\"client\" d=\"M0 0L8 4L0 8z\"/></marker>
<marker id=\"back\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" \
orient=\"auto\"><path class=\"server\" d=\"M0 0L8 4L0 8z\"/></marker>
</defs>
";

/// Draws ladders side by side, on one time axis, as a self-contained SVG file for light and dark
/// pages. Of commands it has the verbs, and of replies the codes.
pub(super) fn svg(ladders: &[Ladder], round_trip: Duration) -> String {
    let rounds = || ladders.iter().flat_map(|ladder| &ladder.rounds);
    let rows = rounds().map(|round| client_rows(round).len().max(server_rows(round).len()));
    let trip = ROUND_TRIP.max(ROW * rows.max().unwrap_or_default() + 6);
    let trips = ladders.iter().map(|ladder| ladder.rounds.len()).max();
    let trips = trips.unwrap_or_default();
    // The server's rows begin half a round trip later than the client's.
    let (width, height) = (LEFT + PANEL * ladders.len(), TOP + trip * trips + trip / 2);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"12\">\n\
         {STYLE}<rect class=\"ground\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n"
    );
    for number in 0..=trips {
        let y = TOP + trip * number;
        let time = round_trip.as_millis() * number as u128;
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {y}H{width}\"/>\
             <text class=\"tick\" x=\"{}\" y=\"{}\">{time} ms</text>",
            LEFT - 4,
            y + 4
        );
    }
    for (number, ladder) in ladders.iter().enumerate() {
        panel(&mut svg, ladder, LEFT + PANEL * number, trip, round_trip);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, ladder: &Ladder, left: usize, trip: usize, round_trip: Duration) {
    let (client, server) = (left + CLIENT, left + SERVER);
    let end = TOP + trip * ladder.rounds.len();
    let mut add = |class: &str, x: usize, y: usize, text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            svg,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        );
    };
    add("title", left + 12, 24, &ladder.name);
    let caption = ladder.caption(round_trip);
    let (messages, rounds) = caption.split_once(" in ").unwrap_or_default();
    add("note", left + 12, 42, messages);
    add("note", left + 12, 58, rounds);
    add("client", client + 4, TOP - 16, "client");
    add("server", server - 4, TOP - 16, "server");
    for (number, round) in ladder.rounds.iter().enumerate() {
        let departure = TOP + trip * number + 4;
        for (row, text) in client_rows(round).iter().enumerate() {
            add("client", client - 6, departure + ROW * row, text);
        }
        for (row, text) in server_rows(round).iter().enumerate() {
            let y = departure + trip / 2 + ROW * row;
            add("server", server + 6, y, text);
        }
    }
    let (top, bottom) = (TOP - 8, end + 10);
    let _ = writeln!(
        svg,
        "<path class=\"life\" d=\"M{client} {top}V{bottom}M{server} {top}V{bottom}\"/>"
    );
    for number in 0..ladder.rounds.len() {
        let departure = TOP + trip * number;
        let (arrival, back) = (departure + trip / 2, departure + trip);
        let _ = writeln!(
            svg,
            "<path class=\"there\" d=\"M{client} {departure}L{server} {arrival}\"/>\
             <path class=\"back\" d=\"M{server} {arrival}L{client} {back}\"/>"
        );
    }
    let (from, to) = (client - 14, server + 14);
    let _ = writeln!(svg, "<path class=\"done\" d=\"M{from} {end}H{to}\"/>");
}

/// Returns the verbs of a flight, as many in a row as have room.
fn client_rows(round: &Round) -> Vec<String> {
    let word = |line: &String| match line.starts_with('[') {
        true => "content".to_owned(),
        false => first_word(line).to_owned(),
    };
    rows(round.client.iter().map(word), CLIENT_ROOM)
}

/// Returns the codes of the replies to a flight, as many in a row as have room.
fn server_rows(round: &Round) -> Vec<String> {
    let codes = round.server.iter().map(|line| first_word(line).to_owned());
    rows(codes, SERVER_ROOM)
}

fn first_word(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(word, _)| word)
}

fn rows(words: impl Iterator<Item = String>, room: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in words {
        match rows.last_mut() {
            Some(row) if row.len() + 1 + word.len() <= room => {
                row.push(' ');
                row.push_str(&word);
            }
            _ => rows.push(word),
        }
    }
    rows
}
