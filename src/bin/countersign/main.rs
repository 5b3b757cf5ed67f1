//! The auditor's command: verifies, tells, shows and proves what stands in a log, and keeps an operator's keys.
//!
//! A log is a SQLite store, an exported directory of tiles or an exported file of lines; every command but those that are asked
//! for a file or change keys only reads.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable
)]
#![forbid(unsafe_code)]

mod arguments;
mod change_keys;
mod ending;
mod erased;
mod export;
mod files;
mod keys;
mod later;
mod log;
mod out;
mod progress;
mod prove;
mod receipt;
mod recover;
mod show;
mod store;
mod text;
mod trust;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, KeysCommand};
use ending::{Code, Ended};
use out::Out;

fn main() -> ExitCode {
    let mut out = Out::to_stdout();
    let ended = match Arguments::try_parse() {
        Ok(arguments) => run(arguments.command, &mut out),
        Err(asked) if !asked.use_stderr() => {
            out.raw(&asked.to_string());
            Ok(Code::GOOD)
        }
        Err(wrong) => {
            // Whoever called it so gets neither a verdict nor an exit code that could be one.
            out::complain(&wrong.to_string(), out::Form::AsItIs);
            Ok(Code::USAGE)
        }
    };
    let code = ended.unwrap_or_else(|failure| {
        out::complain(&format!("countersign: {failure}"), out::Form::OneLine);
        failure.code()
    });
    match out.finish() {
        Ok(()) => code.into(),
        Err(error) => {
            out::complain(&format!("countersign: {error}"), out::Form::OneLine);
            Code::CANNOT.into()
        }
    }
}

fn run(command: Command, out: &mut Out) -> Ended {
    match command {
        Command::Verify(asked) => verify::run(&asked, out),
        Command::Log(asked) => log::run(&asked, out),
        Command::Show(asked) => show::run(&asked, out),
        Command::Prove(asked) => prove::run(&asked, out),
        Command::ProveLater(asked) => later::run(&asked, out),
        Command::VerifyReceipt(asked) => receipt::run(&asked, out),
        Command::Export(asked) => export::run(&asked, out),
        Command::Recover(asked) => recover::run(&asked, out),
        Command::Keys(KeysCommand::Init(asked)) => keys::init(&asked, out),
        Command::Keys(KeysCommand::Show(asked)) => keys::show(&asked, out),
        Command::Keys(KeysCommand::Rotate(asked)) => change_keys::rotate(&asked, out),
        Command::Keys(KeysCommand::Revoke(asked)) => change_keys::revoke(&asked, out),
        Command::Keys(KeysCommand::Add(asked)) => change_keys::add(&asked, out),
    }
}
