//! The languages that people read.

handfast_store::text_enum! {
    /// A language that consent texts and mails are written in.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Language {
        /// English.
        English = "en",
        /// Spanish.
        Spanish = "es",
        /// German.
        German = "de",
    }
}
