//! Imports go one way down: between the layers, and between the files of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// What each layer may import besides itself.
const LAYERS: [(&str, &[&str]); 7] = [
    ("guide", &[]),
    ("syntax", &[]),
    ("framing", &[]),
    ("machine", &["syntax", "framing"]),
    ("sasl", &["syntax", "machine"]),
    ("client", &["syntax", "framing", "machine", "sasl"]),
    ("server", &["syntax", "framing", "machine", "sasl"]),
];

type Imports = BTreeMap<String, BTreeSet<String>>;

/// Returns the files below a folder, as module paths (`client/session`, `framing/dot`), with their
/// text; tests apart.
fn modules(folder: &Path, prefix: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" {
            continue;
        }
        if path.is_dir() {
            modules(&path, &format!("{prefix}{name}/"), found);
        } else {
            let module = match name.as_str() {
                "mod" => prefix.trim_end_matches('/').to_owned(),
                _ => format!("{prefix}{name}"),
            };
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            found.push((module, code));
        }
    }
}

/// Returns the paths that `use` declarations name, each whole.
fn used(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let begins = rest[..at].rsplit('\n').next().unwrap();
        let declaration = rest[at + 4..].split(';').next().unwrap();
        rest = &rest[at + 4..];
        if begins.trim().is_empty() || begins.trim().starts_with("pub") {
            let flat: String = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
            expand("", &flat, &mut paths);
        }
    }
    paths
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

/// Returns which module imports which.
fn imports() -> Imports {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    modules(&source, "", &mut found);
    let names: BTreeSet<String> = found.iter().map(|(name, _)| name.clone()).collect();
    let mut imports = Imports::new();
    for (module, code) in &found {
        let targets = imports.entry(module.clone()).or_default();
        for path in used(code) {
            let mut parts: Vec<&str> = path.split("::").collect();
            let mut base: Vec<&str> = match parts[0] {
                "crate" => vec![],
                "super" => {
                    let mut base: Vec<&str> = module.split('/').collect();
                    while parts.get(1) == Some(&"super") {
                        parts.remove(0);
                        base.pop();
                    }
                    base.pop();
                    base
                }
                "self" => module.split('/').collect(),
                own if names.contains(&format!("{module}/{own}")) => {
                    parts.insert(0, "self");
                    module.split('/').collect()
                }
                _ => continue,
            };
            parts.remove(0);
            base.extend(parts);
            // The longest beginning of the path that is a module.
            while !base.is_empty() && !names.contains(&base.join("/")) {
                base.pop();
            }
            let target = base.join("/");
            if !target.is_empty() && target != *module {
                targets.insert(target);
            }
        }
    }
    imports
}

#[test]
fn layers_import_only_what_is_below() {
    let imports = imports();
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
    let imports = imports();
    let mut done = BTreeSet::new();
    for module in imports.keys() {
        visit(module, &imports, &mut Vec::new(), &mut done);
    }
    assert_eq!(done.len(), imports.len());
}

fn visit(module: &str, imports: &Imports, above: &mut Vec<String>, done: &mut BTreeSet<String>) {
    assert!(
        !above.iter().any(|other| other == module),
        "a circle: {above:?} -> {module}"
    );
    if done.contains(module) {
        return;
    }
    above.push(module.to_owned());
    for target in &imports[module] {
        visit(target, imports, above, done);
    }
    above.pop();
    done.insert(module.to_owned());
}

/// What the adapters share of TLS knows none of them, and an adapter takes rustls from nowhere else.
#[test]
fn tls_is_configured_in_one_place() {
    let manifest = |folder: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        fs::read_to_string(path.join("Cargo.toml")).unwrap()
    };
    let depends_on = |manifest: &str, name: &str| {
        let dependency = |line: &str| line.split([' ', '.']).next() == Some(name);
        manifest.lines().any(dependency)
    };
    let shared = manifest("rustls");
    for adapter in ["smtp-proto-tokio", "smtp-proto-blocking"] {
        assert!(!depends_on(&shared, adapter), "it is below {adapter}");
        let adapter = manifest(&format!("../{adapter}"));
        assert!(depends_on(&adapter, "smtp-proto-rustls"));
        for library in ["rustls-native-certs", "rustls-pki-types", "webpki"] {
            assert!(!depends_on(&adapter, library), "{library}");
        }
    }
}
