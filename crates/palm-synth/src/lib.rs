//! Procedural palms, hands and hand videos from seeds: for tests, the demo and training.
//!
//! ```text
//! Identity --hand(side)--> Hand --Scene::Hand / Approach--> Camera --> Picture
//!                              \--roi(sample)--> Picture       Story --> y4m video
//! ```
//!
//! Nobody's palm is in here: every line follows from a seed. The same seed gives the same bytes
//! on every machine, so pictures are drawn with additions, multiplications, divisions and square
//! roots alone (`maths`) and noise is an integer hash (`stream`). A golden test holds that.
//!
//! Hand units: half the palm's width is 1, the origin is the palm's middle, x runs to the little
//! finger of a left hand, y to the wrist.

mod anatomy;
mod approach;
mod atlas;
mod attack;
mod camera;
mod capture;
mod creases;
mod fingers;
mod ground;
mod identity;
mod light;
mod maths;
mod phone;
mod plane;
mod relief;
mod resample;
mod scene;
mod shadow;
mod story;
mod stream;
mod veins;
mod y4m;

pub use anatomy::Fingers;
pub use approach::{ARRIVE_MS, Approach, HOVER_MS, LEAVE_MS};
pub use attack::{Attack, Species};
pub use camera::{Camera, Spectrum, render};
pub use capture::{CAPTURE_STEP_MS, Held};
pub use ground::Ground;
pub use identity::{Hand, Identity, ROI_PX_MAX, ROI_PX_MIN, ROI_SIDE};
pub use scene::{HandPose, QrModules, QrModulesError, Scene};
pub use story::{STORY_FRAMES_PER_SECOND, STORY_HEIGHT, STORY_WIDTH, Story, letterbox};
pub use y4m::Y4mWriter;
