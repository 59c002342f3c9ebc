//! How the executor is told the credentials of a server: the environment variables of `aura_contract.credentials`.

use openssl::ssl::{SslConnector, SslConnectorBuilder, SslFiletype, SslMethod};

/// Kafka's SASL mechanism unless another is named.
const MECHANISM: &str = "SCRAM-SHA-512";

/// What a client needs besides the address; `ca`, `cert` and `key` are paths of PEM files. Never printed: it has no `Debug`.
#[derive(Clone, Default)]
pub struct Credentials {
    pub tls: bool,
    pub username: Option<String>,
    pub password: Option<String>,
    mechanism: Option<String>,
    ca: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

impl Credentials {
    /// Those of a part, such as `KAFKA`; `get` reads a variable, and absent and empty are the same.
    ///
    /// # Errors
    /// A sentence for a file that cannot be read, and for a certificate without its key or the other way round.
    pub fn of(part: &str, get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let field = |name: &str| get(&format!("AURA_{part}_{name}")).filter(|value| !value.is_empty());
        let file = |name: &str| {
            let path = field(name);
            match &path {
                Some(path) if std::fs::File::open(path).is_err() => {
                    Err(format!("AURA_{part}_{name}={path}: cannot be read; name a PEM file that this user may read"))
                }
                _ => Ok(path),
            }
        };
        let (ca, cert, key) = (file("CA")?, file("CERT")?, file("KEY")?);
        if cert.is_some() != key.is_some() {
            return Err(format!(
                "AURA_{part}_CERT and AURA_{part}_KEY belong together: a client certificate and its key; set both or none"
            ));
        }
        let tls = field("TLS").as_deref() == Some("true") || ca.is_some() || cert.is_some();
        Ok(Self { tls, username: field("USERNAME"), password: field("PASSWORD"), mechanism: field("MECHANISM"), ca, cert, key })
    }

    /// Options of librdkafka.
    #[must_use]
    pub fn kafka_options(&self) -> Vec<(String, String)> {
        let protocol = match (self.username.is_some(), self.tls) {
            (false, false) => "plaintext",
            (false, true) => "ssl",
            (true, false) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        let mut options = vec![("security.protocol", protocol.to_owned())];
        if let Some(username) = &self.username {
            options.push(("sasl.mechanism", self.mechanism.clone().unwrap_or_else(|| MECHANISM.to_owned())));
            options.push(("sasl.username", username.clone()));
            options.push(("sasl.password", self.password.clone().unwrap_or_default()));
        }
        let files = [("ssl.ca.location", &self.ca), ("ssl.certificate.location", &self.cert), ("ssl.key.location", &self.key)];
        options.extend(files.into_iter().filter_map(|(name, path)| path.clone().map(|path| (name, path))));
        options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// A TLS client that trusts the CA, or the system's when none is given, and shows the client certificate if there is one.
    ///
    /// # Errors
    /// A sentence when a file holds nothing of the kind.
    pub fn tls_client(&self, part: &str) -> Result<SslConnector, String> {
        self.tls_builder().map(SslConnectorBuilder::build).map_err(|_| {
            format!("AURA_{part}_CA, AURA_{part}_CERT or AURA_{part}_KEY is no PEM file, or certificate and key do not belong together")
        })
    }

    fn tls_builder(&self) -> Result<SslConnectorBuilder, openssl::error::ErrorStack> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if let Some(ca) = &self.ca {
            builder.set_ca_file(ca)?;
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            builder.set_certificate_chain_file(cert)?;
            builder.set_private_key_file(key, SslFiletype::PEM)?;
            builder.check_private_key()?;
        }
        Ok(builder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(part: &str, variables: &[(&str, &str)]) -> Result<Credentials, String> {
        Credentials::of(part, |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn without_variables_nothing_is_encrypted() {
        let options = of("KAFKA", &[("AURA_KAFKA_PASSWORD", "")]).unwrap().kafka_options();
        assert_eq!(options, [("security.protocol".to_owned(), "plaintext".to_owned())]);
    }

    #[test]
    fn kafka_gets_user_password_and_certificates() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let found = [("AURA_KAFKA_USERNAME", "u"), ("AURA_KAFKA_PASSWORD", "p"), ("AURA_KAFKA_CA", file)];
        let options = of("KAFKA", &found).unwrap().kafka_options();
        let wanted = [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "u"),
            ("sasl.password", "p"),
            ("ssl.ca.location", file),
        ];
        assert_eq!(options, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // Librdkafka was built with what these need.
        let mut config = rdkafka::ClientConfig::new();
        config.set("security.protocol", "sasl_ssl").set("sasl.mechanism", "SCRAM-SHA-512");
        config.set("sasl.username", "u").set("sasl.password", "p");
        assert!(config.create::<rdkafka::producer::BaseProducer>().is_ok());
    }

    #[test]
    fn files_and_pairs_are_checked() {
        let error = of("REDIS", &[("AURA_REDIS_CA", "/none.pem")]).err().unwrap();
        assert_eq!(error, "AURA_REDIS_CA=/none.pem: cannot be read; name a PEM file that this user may read");
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(of("REDIS", &[("AURA_REDIS_KEY", file)]).err().unwrap().contains("belong together"));
        assert!(of("REDIS", &[("AURA_REDIS_CA", file)]).unwrap().tls_client("REDIS").err().unwrap().contains("no PEM file"));
    }
}
