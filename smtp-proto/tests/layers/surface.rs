//! Nothing is public that nobody uses: every public item of the core has a use besides the tests', in
//! the core itself, in the adapters, in what is built on them, or in an example of the docs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::source::{Module, collect, folder, is_in_word, modules, word};

/// What uses the core, from where its folder is: packages' sources, examples and benchmarks.
const USERS: [&str; 10] = [
    "src",
    "rustls/src",
    "tools/src",
    "interop/src",
    "../smtp-proto-tokio/src",
    "../smtp-proto-tokio/examples",
    "../smtp-proto-blocking/src",
    "../smtp-proto-blocking/examples",
    "../benches/src",
    "../benches/benches",
];

/// What is for those who embed the core, by module or item, with the reason.
const FOR_EMBEDDERS: [(&str, &str); 10] = [
    (
        "client/config::accept_bare_lf_replies",
        "for servers that end lines so",
    ),
    (
        "client/config::ignore",
        "for servers whose extension is broken",
    ),
    (
        "faces/server::max_connections_per_peer",
        "for servers that anybody can reach",
    ),
    (
        "faces/server::serve_connection_until",
        "for servers that accept connections themselves",
    ),
    (
        "framing/transmit::copy_to",
        "for transports that want one slice",
    ),
    (
        "sasl/password::by_scram_then_password",
        "for servers that hold some passwords in one form only",
    ),
    (
        "sasl/scram/client::without_binding",
        "for servers that bind by other means",
    ),
    (
        "server/config::rcpt_parameter",
        "what extensions of its own a server has is its own to say",
    ),
    (
        "server/config::unknown_commands",
        "for plug-in hosts, whose commands nobody knows beforehand",
    ),
    ("syntax/code::", "the codes of RFC 5321 have one name each"),
];

/// Words of code, with what stands before and after each.
type Uses<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a str)>>;

/// Returns the code of a file, the examples in its docs included; comments and imports apart.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let (mut is_example, mut is_import) = (false, false);
    for line in text.lines() {
        let line = line.trim_start();
        let said = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"));
        let line = match said.map(str::trim_start) {
            Some(fence) if fence.starts_with("```") => {
                is_example = !is_example && !fence.contains("text");
                continue;
            }
            Some(example) if is_example => example.trim_start_matches("# "),
            Some(_) => continue,
            None => line.split("//").next().unwrap(),
        };
        let item = line.strip_prefix("pub").map_or(line, |rest| {
            let rest = rest.trim_start();
            rest.strip_prefix('(')
                .and_then(|rest| rest.split_once(')'))
                .map_or(rest, |(_, item)| item)
        });
        is_import |= item.trim_start().starts_with("use ");
        if !is_import {
            code.push_str(line);
            code.push('\n');
        }
        is_import &= !line.contains(';');
    }
    code
}

/// Collects where each word of a text is used.
fn note<'a>(code: &'a str, uses: &mut Uses<'a>) {
    let mut at = 0;
    while let Some(begins) = code[at..].find(is_in_word).map(|offset| at + offset) {
        let rest = &code[begins..];
        let ends = rest
            .find(|letter| !is_in_word(letter))
            .unwrap_or(rest.len());
        let place = (code[..begins].trim_end(), &rest[ends..]);
        uses.entry(&rest[..ends]).or_default().push(place);
        at = begins + ends;
    }
}

/// A public item.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Item<'a> {
    keyword: &'a str,
    name: &'a str,
}

impl Item<'_> {
    /// Returns whether a place where its name stands is a use of it.
    fn is_used(&self, (before, after): (&str, &str)) -> bool {
        let keywords = ["fn", "struct", "enum", "trait", "type", "const", "static"];
        let defines = keywords.iter().any(|keyword| {
            let rest = before.strip_suffix(keyword);
            rest.is_some_and(|rest| !rest.ends_with(is_in_word))
        });
        let line = before.rsplit('\n').next().unwrap().trim_start();
        let implements = line.starts_with("impl") && !line.contains('{');
        let calls = before.ends_with(['.', ':']) || after.starts_with(['(', ':']);
        !defines && (calls || self.keyword != "fn" && !implements)
    }
}

/// Returns the public items of a module, as rustfmt writes them.
fn items(module: &Module) -> impl Iterator<Item = Item<'_>> {
    module.code.lines().filter_map(|line| {
        let mut rest = line.trim_start().strip_prefix("pub ")?;
        for qualifier in ["const ", "async ", "unsafe "] {
            if let Some(after) = rest
                .strip_prefix(qualifier)
                .filter(|it| it.starts_with("fn "))
            {
                rest = after;
            }
        }
        let (keyword, rest) = rest.split_once(' ')?;
        let is_item = matches!(
            keyword,
            "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static"
        );
        is_item.then_some(Item {
            keyword,
            name: word(rest),
        })
    })
}

/// Returns the public items that nothing uses, by module.
fn unused<'a>(core: &'a [Module], users: &[String]) -> BTreeSet<String> {
    let mut uses = Uses::new();
    for code in users {
        note(code, &mut uses);
    }
    let is_used = |item: &Item<'a>| {
        let places = uses.get(item.name).into_iter().flatten();
        places.copied().any(|place| item.is_used(place))
    };
    let mut unused = BTreeSet::new();
    for module in core {
        for item in items(module).filter(|item| !is_used(item)) {
            unused.insert(format!("{}::{}", module.path, item.name));
        }
    }
    unused
}

#[test]
fn everything_public_is_used() {
    let core = modules(".");
    let mut users = vec![code_of(
        &fs::read_to_string(folder("../README.md")).unwrap(),
    )];
    for user in USERS {
        let mut found = Vec::new();
        collect(&folder(user), "", &mut found);
        assert!(!found.is_empty(), "{user}");
        users.extend(found.iter().map(|module| code_of(&module.code)));
    }
    let unused = unused(&core, &users);
    let is_named =
        |item: &str, name: &str| item == name || name.ends_with(':') && item.starts_with(name);
    let is_allowed = |item: &&String| {
        let mut reasons = FOR_EMBEDDERS.iter();
        reasons.any(|(name, _)| is_named(item, name))
    };
    let surplus: Vec<_> = unused.iter().filter(|item| !is_allowed(item)).collect();
    assert!(
        surplus.is_empty(),
        "nobody uses {} items: {surplus:#?}",
        surplus.len()
    );
    for (name, _) in FOR_EMBEDDERS {
        assert!(
            unused.iter().any(|item| is_named(item, name)),
            "used, or gone: {name}"
        );
    }
}

#[test]
fn what_nobody_uses_is_found() {
    let text = "\
        //! [`unused`] and [`Unused`]\n\
        //! ```\n//! shown();\n//! ```\n\
        pub use self::other::Unused;\n\
        pub struct Used {}\n\
        pub struct Unused;\n\
        impl Unused {\n    pub fn unused(&self) {}\n    pub const fn called(&self) -> Used {}\n}\n\
        impl Clone for Unused {}\n\
        pub fn shown() {}\n\
        pub(crate) fn hidden() { it.called() }\n\
        pub const HELD: u8 = 0;\n\
        pub const DROPPED: u8 = 0;\n\
        fn other() { HELD; unused = 1 }\n";
    let module = Module::new("it", text);
    let unused = unused(&[module], &[code_of(text)]);
    let expected = ["it::DROPPED", "it::Unused", "it::unused"].map(str::to_owned);
    assert_eq!(unused, expected.into());
}
