//! The adapters spell the same traits: the same methods with the same arguments, one of them `async`.

use std::fs;

use crate::source::folder;

/// The traits of servers' applications, by their files. `Handler`, `Sink` and `Prepare` are written once.
const TRAITS: [(&str, &str); 1] = [("exchange", "Exchange")];

/// Returns what the methods of a trait take and return, without the spelling.
fn methods(adapter: &str, file: &str, name: &str) -> Vec<String> {
    let path = folder(adapter).join(format!("src/server/{file}.rs"));
    let text = fs::read_to_string(path).unwrap();
    let begin = text.find(&format!("pub trait {name}")).unwrap();
    let code = text[begin..].split("\n}\n").next().unwrap();
    let code = code.lines().map(str::trim);
    let code: String = code.filter(|line| !line.starts_with("//")).collect();
    let signature = |method: &str| {
        let end = method.find(['{', ';']).unwrap();
        let mut signature = method[..end].replace([' ', ','], "");
        for spelling in [
            "Pin<Box<dynFuture<Output=",
            "implFuture<Output=",
            ">+Send+'a>>",
            ">+Send",
            "<'a>",
            "'a",
            "->()",
        ] {
            signature = signature.replace(spelling, "");
        }
        signature
    };
    code.split("fn ").skip(1).map(signature).collect()
}

#[test]
fn both_adapters_have_the_same_traits() {
    for (file, name) in TRAITS {
        let methods_of = ["../smtp-proto-tokio", "../smtp-proto-blocking"]
            .map(|adapter| methods(adapter, file, name));
        assert!(!methods_of[0].is_empty(), "{name}");
        assert_eq!(methods_of[0], methods_of[1], "{name}");
    }
}
