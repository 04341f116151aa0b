//! Published figures that a set is drawn against, with what their protocol was.

/// A published method's rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anchor {
    /// What it was.
    pub name: &'static str,
    /// Its true accept rates: (FMR, TAR).
    pub points: &'static [(f64, f64)],
    /// How it was measured, and why it is not quite the same thing.
    pub protocol: &'static str,
}

const RESNET_PROTOCOL: &str = "A ResNet-50 with ArcFace trained on real palms of the same database, \
    open set: the people tested are not those trained on, but the camera and the light are. Ready-made \
    crops, as here.";

const TONGJI: Anchor = Anchor {
    name: "ResNet-50 + ArcFace on Tongji",
    points: &[(1e-4, 0.9724), (1e-5, 0.9581), (1e-6, 0.9219)],
    protocol: RESNET_PROTOCOL,
};
const CASIA: Anchor = Anchor {
    name: "ResNet-50 + ArcFace on CASIA",
    points: &[(1e-4, 0.9586), (1e-5, 0.9407), (1e-6, 0.9186)],
    protocol: RESNET_PROTOCOL,
};
const POLYU: Anchor = Anchor {
    name: "ResNet-50 + ArcFace on PolyU",
    points: &[(1e-4, 0.9610), (1e-5, 0.9411), (1e-6, 0.9109)],
    protocol: RESNET_PROTOCOL,
};
const PALM_ID: Anchor = Anchor {
    name: "Palm-ID (ViT and CNN)",
    points: &[(1e-4, 0.9806)],
    protocol: "Trained on real palms and measured on its authors' own time-separated set, which is \
        not public: another camera, other people, whole pictures.",
};

/// The figures that a set of this name is drawn against.
#[must_use]
pub fn anchors(set: &str) -> Vec<Anchor> {
    let own = [("tongji", TONGJI), ("casia", CASIA), ("polyu", POLYU)];
    let own = own.into_iter().filter(|(prefix, _)| set.starts_with(prefix));
    own.map(|(_, anchor)| anchor).chain([PALM_ID]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_drawn_against_its_own_database() {
        let names = |set| anchors(set).into_iter().map(|a| a.name).collect::<Vec<_>>();
        assert_eq!(names("tongji-roi"), [TONGJI.name, PALM_ID.name]);
        assert_eq!(names("polyu-green-roi + polyu-nir-roi"), [POLYU.name, PALM_ID.name]);
        assert_eq!(names("somebody-elses"), [PALM_ID.name]);
    }
}
