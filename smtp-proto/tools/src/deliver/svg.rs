//! Time-sequence diagrams as a picture.

use std::{fmt::Write as _, time::Duration};

use super::ladder::Ladder;

/// Lengths in the picture's units.
const PANEL: usize = 540;
const CLIENT: usize = 205;
const SERVER: usize = 305;
const TOP: usize = 96;
const LINE: usize = 13;
/// What one way over the link takes on the time axis, unless more lines must fit.
const ONE_WAY: usize = 42;

/// Draws ladders side by side, on one time axis, as a self-contained SVG file.
pub(super) fn svg(ladders: &[Ladder], round_trip: Duration) -> String {
    let rounds = ladders.iter().map(|ladder| ladder.rounds.len()).max();
    let rounds = rounds.unwrap_or_default();
    let lowest = ladders.iter().map(lowest).max().unwrap_or_default();
    let axis_end = TOP + 2 * ONE_WAY * rounds;
    let (width, height) = (60 + PANEL * ladders.len(), lowest.max(axis_end) + 30);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"10.5\">\n\
         <style>\n\
         .title {{ font: 600 17px system-ui, sans-serif; fill: #1b2733 }}\n\
         .note {{ font: 12.5px system-ui, sans-serif; fill: #57646f }}\n\
         .tick {{ fill: #8a96a1; text-anchor: end }}\n\
         .grid {{ stroke: #e7ebef }}\n\
         .life {{ stroke: #8a96a1; stroke-width: 1.5 }}\n\
         .client {{ fill: #1f5fa8; text-anchor: end }}\n\
         .server {{ fill: #2b7d46 }}\n\
         .there {{ stroke: #1f5fa8; stroke-width: 1.6; marker-end: url(#there) }}\n\
         .back {{ stroke: #2b7d46; stroke-width: 1.6; marker-end: url(#back) }}\n\
         .done {{ stroke: #c05a1c; stroke-width: 1.5; stroke-dasharray: 5 4 }}\n\
         </style>\n<defs>\n"
    );
    for (id, colour) in [("there", "#1f5fa8"), ("back", "#2b7d46")] {
        let _ = writeln!(
            svg,
            "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" \
             markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"{colour}\"/></marker>"
        );
    }
    let _ = writeln!(
        svg,
        "</defs>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>"
    );
    for trip in 0..=rounds {
        let y = TOP + 2 * ONE_WAY * trip;
        let time = round_trip.as_millis() * trip as u128;
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M56 {y}H{width}\"/><text class=\"tick\" x=\"50\" y=\"{}\">{time} ms</text>",
            y + 4
        );
    }
    for (number, ladder) in ladders.iter().enumerate() {
        panel(&mut svg, ladder, 56 + PANEL * number, round_trip);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns where the lowest line of a ladder's text ends.
fn lowest(ladder: &Ladder) -> usize {
    let ends = ladder.rounds.iter().enumerate().map(|(number, round)| {
        let start = TOP + 2 * ONE_WAY * number;
        let client = start + LINE * round.client.len();
        client.max(start + ONE_WAY + LINE * round.server.len())
    });
    ends.max().unwrap_or_default()
}

fn panel(svg: &mut String, ladder: &Ladder, left: usize, round_trip: Duration) {
    let (client, server) = (left + CLIENT, left + SERVER);
    let end = TOP + 2 * ONE_WAY * ladder.rounds.len();
    let bottom = end + 10;
    let mut add = |class: &str, x: usize, y: usize, text: &str| {
        let _ = writeln!(
            svg,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>",
            escape(text)
        );
    };
    add("title", left + 20, 30, &ladder.name);
    add("note", left + 20, 50, &ladder.caption(round_trip));
    add("client", client + 4, TOP - 16, "client");
    add("server", server - 4, TOP - 16, "server");
    for (number, round) in ladder.rounds.iter().enumerate() {
        let departure = TOP + 2 * ONE_WAY * number;
        for (row, line) in round.client.iter().enumerate() {
            add(
                "client",
                client - 8,
                departure + 4 + LINE * row,
                &clip(line),
            );
        }
        for (row, line) in round.server.iter().enumerate() {
            let y = departure + ONE_WAY + 4 + LINE * row;
            add("server", server + 8, y, &clip(line));
        }
    }
    let _ = writeln!(
        svg,
        "<path class=\"life\" d=\"M{client} {}V{bottom}M{server} {}V{bottom}\"/>",
        TOP - 8,
        TOP - 8
    );
    for number in 0..ladder.rounds.len() {
        let departure = TOP + 2 * ONE_WAY * number;
        let arrival = departure + ONE_WAY;
        let back = arrival + ONE_WAY;
        let _ = writeln!(
            svg,
            "<path class=\"there\" d=\"M{client} {departure}L{server} {arrival}\"/>\
             <path class=\"back\" d=\"M{server} {arrival}L{client} {back}\"/>"
        );
    }
    let _ = writeln!(
        svg,
        "<path class=\"done\" d=\"M{} {end}H{}\"/>",
        client - 14,
        server + 14
    );
}

fn clip(line: &str) -> String {
    const ROOM: usize = 30;
    if line.chars().count() <= ROOM {
        return line.to_owned();
    }
    line.chars().take(ROOM - 1).chain(['…']).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
