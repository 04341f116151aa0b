/**
 * An SVG from the server as a picture's address. As a picture it can run nothing and reach nothing,
 * which inline markup could.
 */
export function svgPicture(svg: string): string {
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
}
