//! Where an arm's Redis is and how to connect to it, encrypted or not.

use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::credentials::Credentials;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_WORD: Duration = Duration::from_millis(500);

const REFUSED: &str = "it refuses user and password; correct AURA_REDIS_USERNAME and AURA_REDIS_PASSWORD, in Kubernetes the \
                       Secret's username and password";
const SPEAKS_TLS: &str = "it speaks TLS; set AURA_REDIS_TLS=true, or tls: true beside its endpoint in the manifest";
const NO_TLS: &str = "it does not speak TLS; unset AURA_REDIS_TLS and tls in the manifest, or name its TLS port";
const NO_CERTIFICATE: &str =
    "it wants a client certificate; give it in AURA_REDIS_CERT and AURA_REDIS_KEY, in Kubernetes tls.crt and tls.key";

/// One server; `name` is its address without user and password.
pub struct RedisServer {
    pub name: String,
    client: Client,
    tls: Option<SslConnector>,
}

impl RedisServer {
    /// A server at `url`: HOST:PORT, `redis://` or `rediss://`. Credentials given separately win over those in the url.
    ///
    /// # Errors
    /// A sentence that never quotes user or password.
    pub fn new(url: &str, credentials: &Credentials) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
        let name = redacted(url);
        let no_url = || format!("--redis {name} is no url such as redis://127.0.0.1:6379");
        let tls = credentials.tls || scheme == "rediss";
        let plain = if scheme == "rediss" { "redis" } else { scheme };
        // The error is not shown: it may quote the url.
        let info = format!("{plain}://{rest}").into_connection_info().map_err(|_| no_url())?;
        let client = Client::open(with(info, credentials)).map_err(|_| no_url())?;
        let tls = tls.then(|| credentials.tls_client("REDIS")).transpose()?;
        Ok(Self { name, client, tls })
    }

    /// A new connection.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub async fn connect(&self) -> Result<MultiplexedConnection, String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let Some(tls) = &self.tls else {
            let made = self.client.get_multiplexed_async_connection_with_config(&config).await;
            return match made {
                Ok(connection) => Ok(connection),
                Err(error) if self.speaks_tls().await => Err(format!("{SPEAKS_TLS} ({error})")),
                Err(error) => Err(explained(&error)),
            };
        };
        let stream = self.encrypted(tls).await?;
        let settings = self.client.get_connection_info().redis_settings();
        let made = timeout(RESPONSE_TIMEOUT, MultiplexedConnection::new_with_config(settings, stream, config)).await;
        match made {
            Ok(Ok((connection, driver))) => {
                tokio::spawn(driver);
                Ok(connection)
            }
            Ok(Err(_)) if self.wants_certificate(tls).await => Err(NO_CERTIFICATE.to_owned()),
            Ok(Err(error)) => Err(explained(&error)),
            Err(_) => Err("it does not answer; start it or correct --redis".to_owned()),
        }
    }

    async fn encrypted(&self, tls: &SslConnector) -> Result<SslStream<TcpStream>, String> {
        let away = |reason: String| format!("{reason}; start it or correct --redis");
        let (host, plain) = self.tcp().await.map_err(away)?;
        let wrong = |error: &dyn std::fmt::Display| format!("TLS cannot be set up ({error}); correct AURA_REDIS_CA");
        let session = tls.configure().and_then(|settings| settings.into_ssl(&host)).map_err(|error| wrong(&error))?;
        let mut stream = SslStream::new(session, plain).map_err(|error| wrong(&error))?;
        match timeout(CONNECT_TIMEOUT, std::pin::Pin::new(&mut stream).connect()).await {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(error)) => {
                let verified = stream.ssl().verify_result();
                let text = error.to_string();
                Err(if verified != openssl::x509::X509VerifyResult::OK {
                    let reason = verified.error_string();
                    format!("its certificate is not trusted ({reason}); give its CA in AURA_REDIS_CA, in Kubernetes ca.crt")
                } else if text.contains("alert") {
                    NO_CERTIFICATE.to_owned()
                } else {
                    NO_TLS.to_owned()
                })
            }
            Err(_) => Err(NO_TLS.to_owned()),
        }
    }

    async fn tcp(&self) -> Result<(String, TcpStream), String> {
        let ConnectionAddr::Tcp(host, port) = self.client.get_connection_info().addr() else {
            return Err("TLS goes over TCP only".to_owned());
        };
        match timeout(CONNECT_TIMEOUT, TcpStream::connect((host.as_str(), *port))).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                Ok((host.clone(), stream))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }

    /// Whether the server complains about the client certificate; in TLS 1.3 it does so only after the handshake.
    async fn wants_certificate(&self, tls: &SslConnector) -> bool {
        let Ok(mut stream) = self.encrypted(tls).await else { return false };
        let said = timeout(FIRST_WORD, stream.read_u8()).await;
        matches!(said, Ok(Err(error)) if error.to_string().contains("alert"))
    }

    /// Whether a handshake succeeds, whoever the server is.
    async fn speaks_tls(&self) -> bool {
        let Ok(mut builder) = SslConnector::builder(SslMethod::tls_client()) else { return false };
        builder.set_verify(SslVerifyMode::NONE);
        let Ok((host, plain)) = self.tcp().await else { return false };
        let session = builder.build().configure().and_then(|settings| settings.verify_hostname(false).into_ssl(&host));
        let Ok(mut stream) = session.and_then(|session| SslStream::new(session, plain)) else { return false };
        matches!(timeout(CONNECT_TIMEOUT, std::pin::Pin::new(&mut stream).connect()).await, Ok(Ok(())))
    }
}

/// What went wrong and what to do.
#[must_use]
pub fn explained(error: &RedisError) -> String {
    if error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) {
        REFUSED.to_owned()
    } else {
        format!("{error}; start it or correct --redis")
    }
}

fn with(info: ConnectionInfo, credentials: &Credentials) -> ConnectionInfo {
    let Some(password) = &credentials.password else { return info };
    let settings = redis::RedisConnectionInfo::default()
        .set_db(info.redis_settings().db())
        .set_username(credentials.username.as_deref().unwrap_or("default"))
        .set_password(password);
    info.set_redis_settings(settings)
}

/// A url without what stands between `//` and the last `@`.
fn redacted(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}***@{}", &url[..scheme + 3], &url[at + 1..]),
        (None, Some(at)) => format!("***@{}", &url[at + 1..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(redacted("redis://:secret@host:1/0"), "redis://***@host:1/0");
        assert_eq!(redacted("redis://user:se@cret@host"), "redis://***@host");
        assert_eq!(redacted("secret@host"), "***@host");
        assert_eq!(redacted("redis://host:1"), "redis://host:1");
    }

    #[test]
    fn addresses_of_every_form_are_taken() {
        for url in ["127.0.0.1:6379", "redis://:p@h:1/2", "rediss://h:1"] {
            let server = RedisServer::new(url, &Credentials::default()).unwrap();
            assert_eq!(server.tls.is_some(), url.starts_with("rediss"), "{url}");
        }
    }

    #[test]
    fn credentials_given_separately_win() {
        let given = Credentials::of("REDIS", |name| (name == "AURA_REDIS_PASSWORD").then(|| "q".to_owned())).unwrap();
        let server = RedisServer::new("redis://u:p@h:1/2", &given).unwrap();
        let settings = server.client.get_connection_info().redis_settings();
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("default"), Some("q"), 2));
    }
}
