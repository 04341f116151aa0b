"""What OpenCV takes for the steps that it has an equal of: `python crates/palm-eval/benches/opencv.py PICTURE...`

Pictures of hands over a plain ground, made 1280x720 as a kiosk's camera gives them; one thread, processor time,
so that other work on the machine does not count. Needs PyPI's opencv-python-headless. The steps beside it are
those of `handfast bench recognition`; what OpenCV leaves out is said in each row.
"""

import statistics
import sys
import time

import cv2
import numpy as np

RUNS = 20
FRAME = (1280, 720)


def hand(picture):
    """The textbook's finder: skin by a threshold, the largest contour, its convexity defects, the inscribed circle."""
    small = cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA)
    red = cv2.cvtColor(small, cv2.COLOR_BGR2YCrCb)[:, :, 1]
    _, mask = cv2.threshold(cv2.GaussianBlur(red, (5, 5), 0), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)
    cv2.convexityDefects(outline, cv2.convexHull(outline, returnPoints=False))
    return cv2.minMaxLoc(cv2.distanceTransform(mask, cv2.DIST_L2, 5))


def region(picture):
    """A square of 400 pixels turned by 20 degrees, cut out at 128."""
    turn = cv2.getRotationMatrix2D((640, 360), 20, 128 / 400)
    turn[:, 2] += (64 - 640, 64 - 360)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return cv2.warpAffine(grey, turn, (128, 128), flags=cv2.INTER_LINEAR)


def spectra(picture):
    """Sharpness of the region, and the power spectra of nine patches in brightness and tint."""
    cv2.Laplacian(picture[200:600, 440:840], cv2.CV_32F).var()
    window = cv2.createHanningWindow((128, 128), cv2.CV_32F)
    total = np.zeros((128, 128, 2), np.float32)
    for i in range(9):
        x, y = 456 + 56 * (i % 3), 196 + 56 * (i // 3)
        blue, green, red = cv2.split(picture[y : y + 128, x : x + 128].astype(np.float32))
        both = cv2.merge([(green - green.mean()) * window, (red - blue) * window])
        total += cv2.dft(both) ** 2
    return total


FILTERS = [cv2.getGaborKernel((17, 17), 4.0, k * np.pi / 6, 12.6, 0.5, 0) for k in range(6)]


def field(picture):
    """Six Gabor filters of 17x17 over the region at half resolution, and the strongest direction (no poses)."""
    grey = cv2.resize(region(picture), (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.argmin([cv2.filter2D(grey, cv2.CV_32F, it) for it in FILTERS], axis=0)


def main():
    cv2.setNumThreads(1)
    pictures = [cv2.resize(picture, FRAME) for path in sys.argv[1:] if (picture := cv2.imread(path)) is not None]
    if not pictures:
        sys.exit("no picture was read: name some of hands")
    print(f"OpenCV {cv2.__version__}, {len(pictures)} pictures, {RUNS} runs each, processor time of one thread\n")
    print("| step | median ms | p95 ms |\n|---|---|---|")
    for step in (hand, region, spectra, field):
        laps = []
        for picture in pictures:
            for _ in range(RUNS):
                start = time.process_time_ns()
                step(picture)
                laps.append((time.process_time_ns() - start) / 1e6)
        laps.sort()
        print(f"| {step.__name__} | {statistics.median(laps):.2f} | {laps[int(0.95 * (len(laps) - 1))]:.2f} |")


if __name__ == "__main__":
    main()
