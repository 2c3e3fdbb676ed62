//! The adapters spell one handler: the same methods with the same arguments, one of them `async`.

use std::fs;

use crate::source::folder;

/// Returns what the methods of an adapter's handler take and return, without the spelling.
fn methods(adapter: &str) -> Vec<String> {
    let text = fs::read_to_string(folder(adapter).join("src/server/handler.rs")).unwrap();
    let begin = text.find("pub trait Handler").unwrap();
    let end = text.find("macro_rules!").unwrap();
    let code = text[begin..end].lines().map(str::trim);
    let code: String = code.filter(|line| !line.starts_with("//")).collect();
    let signature = |method: &str| {
        let end = method.find(['{', ';']).unwrap();
        let signature = method[..end].replace("impl Future<Output = ", "");
        signature.replace("> + Send", "").replace([' ', ','], "")
    };
    code.split("fn ").skip(1).map(signature).collect()
}

#[test]
fn both_adapters_have_the_same_handler() {
    let methods_of = ["../smtp-proto-tokio", "../smtp-proto-blocking"].map(methods);
    assert!(methods_of[0].len() >= 20, "{:?}", methods_of[0]);
    assert_eq!(methods_of[0], methods_of[1]);
}
