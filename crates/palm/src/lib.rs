//! Palm engine: picture -> hand -> ROI -> template; comparison.
