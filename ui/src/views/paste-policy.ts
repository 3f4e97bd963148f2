// Whether a button that pastes can work here.

type PolicyDocument = Document & { featurePolicy?: { allowsFeature(name: string): boolean } };

/** A policy that forbids it makes a button that can only fail. Only Chromium tells. */
export const canPaste = (document as PolicyDocument).featurePolicy?.allowsFeature('clipboard-read') !== false;
