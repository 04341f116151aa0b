//! The camera of this machine, as its station looks through it.

use handfast_model::{Clock, Duration, Timestamp};
use handfast_palm::Picture;
use handfast_pedestal::{FrameSource, SourceError};

use super::STALE_AFTER;

/// How long a camera is waited for before touches are looked at again.
pub(super) const CAMERA_WAIT: Duration = Duration::from_millis(100);
/// How long a camera that failed is left alone.
pub(super) const CAMERA_REST: Duration = Duration::from_secs(1);

/// Opens the camera, which may take as long as the device takes.
pub(crate) type OpenCamera = Box<dyn FnMut() -> Result<Box<dyn FrameSource>, SourceError> + Send>;

/// A camera that is opened when it is first looked through, and anew after it failed: one that was
/// unplugged comes back.
pub(crate) struct Kiosk {
    open: OpenCamera,
    camera: Option<Box<dyn FrameSource>>,
    /// When its frames were last taken out of it.
    emptied_at: Option<Timestamp>,
    /// What was told of it last, so that it is told once.
    told: Option<String>,
}

impl Kiosk {
    pub(crate) const fn new(open: OpenCamera) -> Self {
        Self { open, camera: None, emptied_at: None, told: None }
    }

    /// A frame of now, if frames are wanted. What the camera kept while nobody looked is of whoever
    /// stood there then: it is taken out unseen.
    pub(super) fn look(
        &mut self,
        wanted: bool,
        clock: &dyn Clock,
    ) -> Result<Option<Picture>, SourceError> {
        let now = clock.now();
        let is_emptied = self.emptied_at.is_some_and(|at| now - at < STALE_AFTER);
        let looked = self.camera().and_then(|camera| {
            if wanted && is_emptied {
                return camera.next(CAMERA_WAIT);
            }
            camera.forget()?;
            Ok(None)
        });
        match looked {
            Ok(frame) => {
                let now = clock.now();
                self.emptied_at = Some(now);
                self.told = None;
                let fresh = frame.filter(|frame| now - frame.taken_at < STALE_AFTER);
                Ok(fresh.map(|frame| frame.picture))
            }
            Err(error) => {
                if !error.is_of_one_frame() {
                    self.camera = None;
                    self.emptied_at = None;
                }
                Err(error)
            }
        }
    }

    /// Whoever stands there now is another than before: what the camera holds is not looked at.
    pub(super) const fn distrust(&mut self) {
        self.emptied_at = None;
    }

    /// How long to leave between two frames.
    pub(super) fn pace(&self) -> Duration {
        let pace = self.camera.as_ref().and_then(|camera| camera.pace());
        pace.unwrap_or(Duration::ZERO)
    }

    /// Whether the failure is news.
    pub(super) fn is_news(&mut self, error: &SourceError) -> bool {
        let said = Some(error.to_string());
        let is_news = self.told != said;
        self.told = said;
        is_news
    }

    fn camera(&mut self) -> Result<&mut Box<dyn FrameSource>, SourceError> {
        let camera = match self.camera.take() {
            Some(camera) => camera,
            None => (self.open)()?,
        };
        Ok(self.camera.insert(camera))
    }
}
