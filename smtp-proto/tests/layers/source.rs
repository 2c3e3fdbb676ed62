//! The source as text: which files there are, and what of them is code.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file, as a module path (`client/session`, `framing/dot`) and its text; tests apart.
pub(crate) struct Module {
    pub(crate) path: String,
    pub(crate) code: String,
}

impl Module {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            code: text.split("#[cfg(test)]\nmod").next().unwrap().to_owned(),
        }
    }
}

/// Returns a folder of the repository, given from that of the core.
pub(crate) fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns the modules of a package, whose folder is given from that of the core.
pub(crate) fn modules(package: &str) -> Vec<Module> {
    let mut found = Vec::new();
    collect(&folder(package).join("src"), "", &mut found);
    found
}

/// Collects the files below a folder whose names end in `.rs`.
pub(crate) fn collect(folder: &Path, prefix: &str, found: &mut Vec<Module>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" {
            continue;
        }
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = match name.as_str() {
                "mod" => prefix.trim_end_matches('/').to_owned(),
                _ => format!("{prefix}{name}"),
            };
            found.push(Module::new(&module, &fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Returns whether a letter may be part of a name.
pub(crate) fn is_in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Returns the first word of a text.
pub(crate) fn word(text: &str) -> &str {
    text.split(|letter| !is_in_word(letter)).next().unwrap()
}
