// The film beside the chart: it follows clicks on the chart, and the chart follows it.

const REDRAW = "requestVideoFrameCallback";

export function follow(video, chart, told) {
  const start = Number(told.start_s);
  const tell = () => chart.at(start + video.currentTime, !video.paused);
  if (REDRAW in HTMLVideoElement.prototype) {
    const each = (_, frame) => {
      chart.at(start + (frame?.mediaTime ?? video.currentTime), !video.paused);
      video[REDRAW](each);
    };
    video[REDRAW](each);
  }
  video.addEventListener("timeupdate", tell);
  video.addEventListener("seeked", tell);
  video.addEventListener("loadeddata", tell, { once: true });
  chart.seek = (time) => {
    chart.at(time);
    video.currentTime = Math.min(Math.max(time - start, 0), video.duration || 0);
  };
  return {
    time: () => start + video.currentTime,
    play: () => (video.paused ? video.play() : video.pause()),
    step: (seconds) => chart.seek(start + video.currentTime + seconds),
  };
}
