//! Runs the adapters against mail servers and clients that others wrote, and prints what came of it
//! as a table. `install`, beside this crate's manifest, gets those programs.

mod chains;
mod clients;
mod exchange;
mod matrix;
mod messages;
mod ours;
mod pki;
mod proxy;
mod raw;
mod servers;
mod stored;
mod suites;
mod tree;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

use self::{matrix::Matrix, pki::Pki, tree::Tree};

const USAGE: &str = "\
usage: smtp-proto-interop [--quick] [--home FOLDER] [FILTER]...

Runs every cell that the installed peers permit, or those whose names contain a FILTER.

  --quick        fewer policies, smaller numbers
  --home FOLDER  where `smtp-proto/interop/install FOLDER` installed the peers;
                 default: interop in cargo's target folder
";

/// What a run is about.
pub(crate) struct Run {
    /// Where the peers are.
    pub(crate) tree: Tree,
    /// The certificates of all servers.
    pub(crate) pki: Pki,
    /// Fewer policies, smaller numbers.
    pub(crate) quick: bool,
}

fn main() -> Result<ExitCode> {
    let mut quick = false;
    let mut home = None;
    let mut filters = Vec::new();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--home" => home = Some(arguments.next().context("--home needs a folder")?.into()),
            "--help" => {
                print!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            option if option.starts_with('-') => bail!("unknown option {option}\n\n{USAGE}"),
            _ => filters.push(argument),
        }
    }
    let home = home.map_or_else(beside_the_program, Ok)?;
    let tree = Tree::new(&home)?;
    let pki = Pki::new(tree.work())?;
    let run = Run { tree, pki, quick };
    let mut matrix = Matrix::new(filters);
    suites::run(&run, &mut matrix);
    print!("{}", matrix.to_markdown());
    Ok(if matrix.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Returns the folder that `install` uses unless it is told another: cargo puts programs two levels
/// below its target folder.
fn beside_the_program() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(2).context("no target folder")?;
    Ok(target.join("interop"))
}
