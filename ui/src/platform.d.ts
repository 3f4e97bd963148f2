// What `api/` and `state/` may take from the platform without being handed it. `tsconfig.core.json`
// compiles those folders without the DOM's types, so that a `window` or `document` there is an error.
declare class URL {
  constructor(url: string, base?: string);
  readonly protocol: string;
  readonly host: string;
  readonly hostname: string;
  readonly username: string;
  readonly password: string;
  readonly hash: string;
  readonly href: string;
  readonly origin: string;
  readonly pathname: string;
  readonly search: string;
  readonly searchParams: { get(name: string): string | null };
}
declare function atob(data: string): string;
declare class TextDecoder {
  decode(input: Uint8Array): string;
}
