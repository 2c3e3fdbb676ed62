//! The one search that both directions share.

/// How many octets the fast search takes at a stride, and the close one.
const FAR: usize = 512;
const NEAR: usize = 16;
/// How far the close search goes alone: where dots are dense, it finds the next of them sooner.
const CLOSE: usize = 128;

/// Returns the length of a beginning of `octets` that goes over the wire as it is.
///
/// `octets` begin within a line. The octets returned hold no bare CR, no bare LF, and no dot at the
/// beginning of a line, and end before a CR or within a line. What follows wants a look, octet by
/// octet, until a line was left again; the last two octets always do.
pub(super) fn plain(octets: &[u8]) -> usize {
    if octets.first() == Some(&b'\n') {
        return 0;
    }
    let at = marked(octets);
    // An LF that is bare may come directly behind CR LF: stay in front of both.
    match octets.get(at.wrapping_sub(1)) {
        Some(b'\r') => at.saturating_sub(1),
        _ => at,
    }
}

/// Returns the first index with a mark, or, without one, that of the second last octet.
fn marked(octets: &[u8]) -> usize {
    let mut at = 0;
    let mut ahead = octets;
    let mut close = CLOSE;
    loop {
        for _ in 0..close / NEAR {
            let Some([a, b, c]) = shifted::<NEAR>(ahead) else {
                return at
                    + ahead
                        .windows(3)
                        .take_while(|three| !is_marked(three))
                        .count();
            };
            if let Some(mark) = first(a, b, c) {
                return at + mark;
            }
            at += NEAR;
            ahead = octets.get(at..).unwrap_or_default();
        }
        while let Some([a, b, c]) = shifted::<FAR>(ahead)
            && !any(a, b, c)
        {
            at += FAR;
            ahead = octets.get(at..).unwrap_or_default();
        }
        close = FAR;
    }
}

/// Returns the first `N` octets, and as many from the second and from the third on.
#[inline]
fn shifted<const N: usize>(octets: &[u8]) -> Option<[&[u8; N]; 3]> {
    Some([
        octets.first_chunk()?,
        octets.get(1..)?.first_chunk()?,
        octets.get(2..)?.first_chunk()?,
    ])
}

/// Marks the first of three octets: 1 for a CR without LF, the octet before an LF without CR, and
/// the CR of CR LF and a dot. Branch-free, and in octets throughout, for the sake of vectors.
#[inline(always)]
fn mark(a: u8, b: u8, c: u8) -> u8 {
    let cr = u8::from(a == b'\r');
    (cr ^ u8::from(b == b'\n')) | (cr & u8::from(c == b'.'))
}

fn is_marked(three: &[u8]) -> bool {
    matches!(three, [a, b, c] if mark(*a, *b, *c) != 0)
}

#[inline]
fn marks<'a, const N: usize>(
    a: &'a [u8; N],
    b: &'a [u8; N],
    c: &'a [u8; N],
) -> impl Iterator<Item = u8> + use<'a, N> {
    a.iter().zip(b).zip(c).map(|((a, b), c)| mark(*a, *b, *c))
}

fn any(a: &[u8; FAR], b: &[u8; FAR], c: &[u8; FAR]) -> bool {
    marks(a, b, c).fold(0, |all, mark| all | mark) != 0
}

fn first(a: &[u8; NEAR], b: &[u8; NEAR], c: &[u8; NEAR]) -> Option<usize> {
    let mut found = [0; NEAR];
    for (to, mark) in found.iter_mut().zip(marks(a, b, c)) {
        *to = mark;
    }
    let found = u128::from_le_bytes(found);
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}
