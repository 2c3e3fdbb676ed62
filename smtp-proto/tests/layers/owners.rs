//! Every type has one file: its `impl`s stand where it is defined. What is spread over several files
//! is one file in pieces, and its pieces call each other in circles that no import shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    imports::{circle_of, imports_of},
    source::{Module, is_in_word, modules, word},
};

/// One `impl` block.
struct Block<'a> {
    /// Where it stands.
    module: &'a str,
    /// Whose it is, if the type is this crate's: the module that defines it, and its name.
    owner: Option<(&'a str, &'a str)>,
    body: String,
}

/// The modules that define a type, by its name.
type Definitions<'a> = BTreeMap<&'a str, Vec<&'a str>>;

fn definitions(modules: &[Module]) -> Definitions<'_> {
    let mut definitions = Definitions::new();
    for module in modules {
        for line in module.code.lines() {
            let item = match line.trim_start().strip_prefix("pub") {
                Some(rest) if rest.starts_with('(') => rest.split_once(')').unwrap().1,
                Some(rest) => rest,
                None => line,
            };
            for keyword in ["struct ", "enum ", "union "] {
                if let Some(name) = item.trim_start().strip_prefix(keyword) {
                    definitions
                        .entry(word(name))
                        .or_default()
                        .push(&module.path);
                }
            }
        }
    }
    definitions
}

/// Returns the name of the type that a header, `impl<..> Trait for Type`, is about.
fn subject(header: &str) -> &str {
    let mut depth = 0;
    let mut begins = 0;
    let mut before = ' ';
    for (at, letter) in header.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            // The end of the generics, or of the trait.
            ' ' if depth == 0 && header[at..].starts_with(" for ") => begins = at + " for ".len(),
            ' ' if depth == 0 && begins == 0 => begins = at + 1,
            _ => {}
        }
        before = letter;
        if header[at..].starts_with(" where") {
            break;
        }
    }
    let path = header[begins..].trim_start_matches(['&', '(']);
    let path = path.trim_start_matches("'a ").trim_start_matches("mut ");
    let end = path.find(|letter| !is_in_word(letter) && letter != ':' && letter != '$');
    let path = &path[..end.unwrap_or(path.len())];
    path.rsplit("::").next().unwrap()
}

/// Returns the blocks of a crate, as rustfmt writes them.
fn blocks<'a>(modules: &'a [Module], definitions: &Definitions<'a>) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    for module in modules {
        let mut lines = module.code.lines();
        while let Some(line) = lines.next() {
            let trimmed = line.trim_start();
            if !trimmed.starts_with("impl ") && !trimmed.starts_with("impl<") {
                continue;
            }
            let end = format!("{}}}", &line[..line.len() - trimmed.len()]);
            let mut text = trimmed.to_owned();
            while !text.contains('{') {
                text.push(' ');
                text.push_str(lines.next().unwrap().trim());
            }
            let (header, body) = text.split_once('{').unwrap();
            let mut body = body.to_owned();
            if !body.ends_with('}') {
                for line in lines.by_ref().take_while(|line| *line != end) {
                    // What is said in a comment is not done.
                    body.push_str(line.split("//").next().unwrap());
                    body.push('\n');
                }
            }
            let owner = definitions
                .get_key_value(subject(header))
                .map(|(name, homes)| (nearest(&module.path, homes), *name));
            blocks.push(Block {
                module: &module.path,
                owner,
                body,
            });
        }
    }
    blocks
}

/// Returns which of several modules is meant where one name is defined in each.
fn nearest<'a>(module: &str, homes: &[&'a str]) -> &'a str {
    let shared = |home: &&&str| {
        let pairs = home.split('/').zip(module.split('/'));
        (
            **home == module,
            pairs.take_while(|(one, other)| one == other).count(),
        )
    };
    homes.iter().max_by_key(shared).unwrap()
}

/// Returns the types that have an `impl` outside their file, with those files.
fn scattered(blocks: &[Block<'_>]) -> BTreeMap<String, BTreeSet<String>> {
    let mut scattered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for block in blocks {
        if let Some((home, name)) = block.owner.filter(|(home, _)| *home != block.module) {
            let files = scattered.entry(format!("{home}::{name}")).or_default();
            files.insert(block.module.to_owned());
        }
    }
    scattered
}

/// Returns which files of one type call which by `self.method()`.
fn self_calls(blocks: &[Block<'_>], owner: (&str, &str)) -> BTreeMap<String, BTreeSet<String>> {
    let own = || blocks.iter().filter(|block| block.owner == Some(owner));
    let mut homes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for block in own() {
        for after in block.body.split("fn ").skip(1) {
            homes.entry(word(after)).or_default().insert(block.module);
        }
    }
    let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for block in own() {
        let calls = calls.entry(block.module.to_owned()).or_default();
        // rustfmt may break the line before the dot.
        let body: String = block.body.split_whitespace().collect::<Vec<_>>().join(" ");
        let body = body.replace("self .", "self.");
        let called = ["self.", "Self::"].map(|before| body.split(before).skip(1));
        for after in called.into_iter().flatten() {
            let name = word(after);
            let is_call = after[name.len()..].starts_with('(');
            let targets = homes.get(name).filter(|_| is_call);
            calls.extend(targets.into_iter().flatten().map(|it| (*it).to_owned()));
        }
        calls.remove(block.module);
    }
    calls
}

/// Returns the largest circle of files of one type, per type that has any.
fn circles(blocks: &[Block<'_>]) -> BTreeMap<String, BTreeSet<String>> {
    let owners: BTreeSet<_> = blocks.iter().filter_map(|block| block.owner).collect();
    let mut circles = BTreeMap::new();
    for owner in owners {
        let calls = self_calls(blocks, owner);
        let circle = calls.keys().map(|module| circle_of(module, &calls));
        if let Some(circle) = circle.max_by_key(BTreeSet::len).filter(|it| it.len() > 1) {
            circles.insert(format!("{}::{}", owner.0, owner.1), circle);
        }
    }
    circles
}

#[test]
fn every_type_has_one_file() {
    let modules = modules(".");
    let definitions = definitions(&modules);
    assert!(definitions.len() > 100, "the source was found");
    let scattered = scattered(&blocks(&modules, &definitions));
    assert!(
        scattered.is_empty(),
        "impls outside the file of their type: {scattered:#?}"
    );
}

#[test]
fn no_files_call_each_other_through_self() {
    let modules = modules(".");
    let circles = circles(&blocks(&modules, &definitions(&modules)));
    assert!(
        circles.is_empty(),
        "files that call each other: {circles:#?}"
    );
}

/// A session as it was: its imports are a tree, and its calls a circle.
const SESSION: [(&str, &str); 5] = [
    (
        "client/session",
        "use super::answers::Answers;\n\
         pub(super) struct Session {\n    answers: Answers,\n}\n\
         \n\
         impl Session {\n    \
             fn begin(&mut self) {\n        self.on_reply();\n    }\n\
         }\n",
    ),
    (
        "client/commands",
        "use super::session::Session;\n\
         impl Session {\n    \
             pub(super) fn on_reply(&mut self) {\n        self.answers.note();\n        self.finish()\n    }\n\
         }\n",
    ),
    (
        "client/ending",
        "use super::session::Session;\n\
         // impl Session\n\
         impl Session {\n    \
             pub(super) fn finish(&mut self) {\n        self\n            .write();\n    }\n\
         }\n\
         impl core::fmt::Debug for Session {}\n",
    ),
    (
        "client/output",
        "use super::session::Session;\n\
         impl<T> AsRef<T> for Session\nwhere\n    T: ?Sized,\n{\n    \
             fn write(&mut self) {\n        Self::on_reply(self); // self.begin()\n    }\n\
         }\n",
    ),
    (
        "client/answers",
        "pub(super) struct Answers;\n\
         impl Answers {\n    fn note(&mut self) {}\n}\n\
         impl<'a> From<&'a [Answers]> for Answers {\n    fn from(_: &'a [Answers]) -> Self {}\n}\n",
    ),
];

#[test]
fn a_session_in_pieces_is_found() {
    let modules = SESSION.map(|(path, text)| Module::new(path, text));
    let definitions = definitions(&modules);
    let blocks = blocks(&modules, &definitions);
    assert_eq!(blocks.len(), 7);
    let set = |names: &[&str]| names.iter().map(|name| format!("client/{name}")).collect();
    let name = "client/session::Session".to_owned();
    let pieces = set(&["commands", "ending", "output"]);
    assert_eq!(scattered(&blocks), [(name.clone(), pieces)].into());
    // The session begins it, and is not called back.
    let circle = set(&["commands", "ending", "output"]);
    assert_eq!(circles(&blocks), [(name, circle)].into());
    // Imports alone show nothing.
    let imports = imports_of(&modules);
    for module in imports.keys() {
        assert_eq!(circle_of(module, &imports).len(), 1, "{module}");
    }
}
