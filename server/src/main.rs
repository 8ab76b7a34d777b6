//! `kunji`, the program: reads arguments and settings, and starts.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use kunji_server::{
    api, app,
    cli::{
        self, ServerArguments,
        access::AccessCommand,
        approvals::ApprovalsCommand,
        audit::AuditCommand,
        clients::ClientsCommand,
        doctor::DoctorArguments,
        keys::{KeysCommand, RotateArguments},
        policy::PolicyCommand,
        rewrap::RewrapArguments,
    },
    config, telemetry,
};

/// Key manager for national-ID and social-benefit platforms.
#[derive(Parser)]
#[command(name = "kunji", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say who may do what, on a running server, and ask who may.
    Access {
        #[command(subcommand)]
        command: AccessCommand,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Approve or deny what waits for approval, on a running server.
    Approvals {
        #[command(subcommand)]
        command: ApprovalsCommand,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// The audit trail: search, follow, export, verify.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Manage the clients that may take tokens, on a running server.
    Clients {
        #[command(subcommand)]
        command: ClientsCommand,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Find what token and database disagree on, on a running server. Ends with 0 only if nothing is found.
    Doctor {
        #[command(flatten)]
        doctor: DoctorArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Read and change the states of keys, on a running server.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Run the PKCS#11 library for a server. Servers start this themselves.
    #[command(name = app::hsm_worker::COMMAND, hide = true)]
    HsmWorker {
        /// Form of log lines.
        #[arg(long)]
        log_format: config::LogFormat,
        /// What is logged.
        #[arg(long)]
        log_filter: String,
    },
    /// Print the OpenAPI document of the HTTP API.
    Openapi,
    /// Read one PDF for a server. Servers start this themselves.
    #[command(name = app::pdf_worker::COMMAND, hide = true)]
    PdfWorker,
    /// Say how long keys live, on a running server, and see what is renewed when.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Have all private keys in the database wrapped by the newest KEKs, by a running server, and see how far that has
    /// come.
    Rewrap {
        #[command(flatten)]
        rewrap: RewrapArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Make the successor of a key now, on a running server.
    Rotate {
        #[command(flatten)]
        key: RotateArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Serve the HTTP API until SIGTERM or SIGINT.
    ///
    /// Every setting has a default, can stand in the file, and in the environment as KUNJI_ and its name in
    /// capitals; docs/configuration.md explains each.
    Serve {
        /// TOML file with settings.
        #[arg(long, env = "KUNJI_CONFIG")]
        config: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(app::exit::status(&error))
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Access { command, server } => {
            if let Some(printed) = command.without_server() {
                return printed;
            }
            ask(&server, async |remote| cli::access::run(&remote, command).await)
        }
        Command::Approvals { command, server } => {
            ask(&server, async |remote| cli::approvals::run(&remote, command).await)
        }
        Command::Audit { command: AuditCommand::Verify(arguments), server } => {
            cli::audit::verify(&arguments, &server)
        }
        Command::Audit { command, server } => {
            ask(&server, async |remote| cli::audit::run(remote, &server, command).await)
        }
        Command::Clients { command, server } => {
            ask(&server, async |remote| cli::clients::run(&remote, command).await)
        }
        Command::Doctor { doctor, server } => {
            ask(&server, async |remote| cli::doctor::run(&remote, &doctor).await)
        }
        Command::HsmWorker { log_format, log_filter } => {
            telemetry::begin(log_format, &log_filter)?;
            app::hsm_worker::run()
        }
        Command::Keys { command, server } => {
            ask(&server, async |remote| cli::keys::run(&remote, command).await)
        }
        Command::Openapi => {
            print_document(&api::openapi_document());
            Ok(())
        }
        Command::PdfWorker => app::pdf_worker::run(),
        Command::Policy { command, server } => {
            ask(&server, async |remote| cli::policy::run(&remote, command).await)
        }
        Command::Rewrap { rewrap, server } => {
            ask(&server, async |remote| cli::rewrap::run(&remote, &rewrap).await)
        }
        Command::Rotate { key, server } => {
            ask(&server, async |remote| cli::keys::rotate(&remote, &key).await)
        }
        Command::Serve { config } => {
            let settings = config::load(config.as_deref(), environment())?;
            telemetry::begin(settings.log_format, &settings.log_filter)?;
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(app::serve(settings))
        }
    }
}

/// Has a running server do something.
fn ask(server: &ServerArguments, command: impl AsyncFnOnce(cli::Remote) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { command(cli::Remote::connect(server).await?).await })
}

/// The environment, but for variables that are no text: none of ours is among them.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[expect(clippy::print_stderr, reason = "the one message of a program that cannot start")]
fn report(error: &anyhow::Error) {
    eprintln!("kunji: {error:#}");
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
fn print_document(document: &str) {
    print!("{document}");
}
