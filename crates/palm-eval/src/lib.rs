//! Folders of samples -> error rates.
