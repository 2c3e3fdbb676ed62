//! Imports go one way down: between the layers, and between the files of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::source::{Module, folder, modules};

/// What each layer may import besides itself.
const LAYERS: [(&str, &[&str]); 12] = [
    (
        "driver",
        &["framing", "machine", "client", "delivery", "reception"],
    ),
    ("faces", &[]),
    ("guide", &[]),
    ("syntax", &[]),
    ("framing", &[]),
    ("machine", &["syntax", "framing"]),
    ("sasl", &["syntax", "machine"]),
    ("client", &["syntax", "framing", "machine", "sasl"]),
    ("delivery", &["syntax", "framing", "machine", "client"]),
    (
        "reception",
        &["syntax", "framing", "machine", "sasl", "server"],
    ),
    ("server", &["syntax", "framing", "machine", "sasl"]),
    (
        "testing",
        &[
            "syntax",
            "framing",
            "machine",
            "sasl",
            "client",
            "delivery",
            "server",
            "reception",
        ],
    ),
];

pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

/// Returns the paths that `use` declarations name, each whole, and whether they are handed on.
fn used(code: &str) -> Vec<(String, bool)> {
    let mut used = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let begins = rest[..at].rsplit('\n').next().unwrap();
        let declaration = rest[at + 4..].split(';').next().unwrap();
        rest = &rest[at + 4..];
        let hands_on = begins.trim().starts_with("pub");
        if begins.trim().is_empty() || hands_on {
            let flat: String = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
            let mut paths = Vec::new();
            expand("", &flat, &mut paths);
            used.extend(paths.into_iter().map(|path| (path, hands_on)));
        }
    }
    used
}

/// Expands the braces of a `use` declaration.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    match tree.split_once('{') {
        None => paths.push(format!("{prefix}{tree}")),
        Some((head, inner)) => {
            let (mut depth, mut item) = (0, String::new());
            for letter in inner.trim_end_matches('}').chars().chain([',']) {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                if letter == ',' && depth == 0 {
                    if !item.trim().is_empty() {
                        expand(&format!("{prefix}{}", head.trim()), &item, paths);
                    }
                    item.clear();
                } else {
                    item.push(letter);
                }
            }
        }
    }
}

/// Returns the whole path within its crate of what `module` names so, unless it is of another crate.
fn located(module: &str, path: &str, names: &BTreeSet<String>) -> Option<Vec<String>> {
    let mut parts: Vec<&str> = path.split("::").collect();
    // `lib` is no part of a path.
    let own: Vec<&str> = module.split('/').filter(|part| *part != "lib").collect();
    let mut base = match parts[0] {
        "crate" => vec![],
        "super" => {
            let mut base = own;
            while parts.get(1) == Some(&"super") {
                parts.remove(0);
                base.pop();
            }
            base.pop();
            base
        }
        "self" => own,
        first => {
            let child = [&own[..], &[first]].concat().join("/");
            if !names.contains(&child) {
                return None;
            }
            parts.insert(0, "self");
            own
        }
    };
    base.extend(&parts[1..]);
    Some(base.into_iter().map(str::to_owned).collect())
}

/// Returns which module of a crate imports which. What a module hands on counts as imported from
/// where it is.
pub(crate) fn imports_of(modules: &[Module]) -> Imports {
    let names: BTreeSet<String> = modules.iter().map(|module| module.path.clone()).collect();
    let mut declared = Vec::new();
    let mut handed_on = BTreeMap::new();
    for Module { path: module, code } in modules {
        for (path, hands_on) in used(code) {
            let Some(path) = located(module, &path, &names) else {
                continue;
            };
            if hands_on && let Some(name) = path.last() {
                let known_as = located(module, &format!("self::{name}"), &names);
                handed_on.insert(known_as.unwrap(), path.clone());
            }
            declared.push((module, path));
        }
    }
    let mut imports: Imports = names.iter().map(|name| (name.clone(), [].into())).collect();
    for (module, mut path) in declared {
        while let Some(origin) = handed_on.get(&path).filter(|origin| **origin != path) {
            path.clone_from(origin);
        }
        // The longest beginning of the path that is a module.
        while !path.is_empty() && !names.contains(&path.join("/")) {
            path.pop();
        }
        let target = path.join("/");
        if !target.is_empty() && target != *module {
            imports.get_mut(module).unwrap().insert(target);
        }
    }
    imports
}

/// Returns the modules that one of them imports or calls, and that come back to it; itself too.
pub(crate) fn circle_of(module: &str, edges: &Imports) -> BTreeSet<String> {
    let reached = |from: &str| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(module) = open.pop() {
            if reached.insert(module.clone()) {
                open.extend(edges.get(&module).into_iter().flatten().cloned());
            }
        }
        reached
    };
    let mut circle = reached(module);
    circle.retain(|other| reached(other).contains(module));
    circle
}

#[test]
fn layers_import_only_what_is_below() {
    let imports = imports_of(&modules("."));
    assert!(imports.len() > 30, "the source was found");
    for (module, targets) in &imports {
        let layer = |module: &str| module.split('/').next().unwrap().to_owned();
        let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == layer(module)) else {
            assert_eq!(module, "lib");
            continue;
        };
        for target in targets.iter().map(|target| layer(target)) {
            let allowed = target == layer(module) || below.contains(&target.as_str());
            assert!(allowed, "{module} imports {target}");
        }
    }
}

#[test]
fn no_imports_go_in_a_circle() {
    for package in [
        ".",
        "rustls",
        "../smtp-proto-tokio",
        "../smtp-proto-blocking",
    ] {
        let imports = imports_of(&modules(package));
        assert!(
            imports.contains_key("lib"),
            "the source of {package} was found"
        );
        for module in imports.keys() {
            let circle = circle_of(module, &imports);
            assert!(circle.len() == 1, "a circle: {circle:?}");
        }
    }
}

/// What the adapters share of TLS knows none of them, and an adapter takes rustls from nowhere else.
#[test]
fn tls_is_configured_in_one_place() {
    let manifest = |package: &str| fs::read_to_string(folder(package).join("Cargo.toml")).unwrap();
    let depends_on = |manifest: &str, name: &str| {
        let dependency = |line: &str| line.split([' ', '.']).next() == Some(name);
        manifest.lines().any(dependency)
    };
    let shared = manifest("rustls");
    for adapter in ["tokio", "blocking"] {
        let package = format!("smtp-engine-{adapter}");
        assert!(!depends_on(&shared, &package), "it is below {package}");
        let adapter = manifest(&format!("../smtp-proto-{adapter}"));
        assert!(depends_on(&adapter, "smtp-engine-rustls"));
        for library in ["rustls-native-certs", "rustls-pki-types", "webpki"] {
            assert!(!depends_on(&adapter, library), "{library}");
        }
    }
}
