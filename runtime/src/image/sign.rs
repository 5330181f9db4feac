//! Signed images: Ed25519 (RFC 8032) over all of an image, behind it. What is signed can be loaded without `unsafe`: the
//! holder of the key vouches for it.

use alloc::vec::Vec;
use core::fmt;

use ed25519_compact::{KeyPair, PublicKey, Seed, Signature};

use super::{
    ImageInfo,
    format::{SIGNATURE, SIGNATURE_MAGIC, whole},
};
use crate::{Engine, Module, Result, error::bail, module::Bytes};

/// A secret key, with which images are signed. It cannot be printed.
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// The key that these bytes, which must be random and secret, are the seed of.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(KeyPair::from_seed(Seed::new(seed)))
    }

    /// The public key that belongs to it.
    pub fn public_key(&self) -> [u8; 32] {
        *self.0.pk
    }

    /// The image with a signature, in the place of one that it may have.
    ///
    /// # Errors
    /// If the bytes are no image, or a damaged one, or of another version of teff.
    pub fn sign(&self, image: &[u8]) -> Result<Vec<u8>> {
        let len = ImageInfo::read(image)?.len;
        let mut signed = image[..len].to_vec();
        let signature = self.0.sk.sign(&signed, None);
        signed.extend(SIGNATURE_MAGIC);
        signed.extend(*self.0.pk);
        signed.extend(*signature);
        Ok(signed)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

/// A public key whose holder is trusted to sign images that `Module::serialize` made, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey(PublicKey);

impl TrustedKey {
    /// Trusts a public key.
    ///
    /// # Safety
    /// Whoever has the secret key signs images that [`Module::serialize`] made, and no other bytes: a signed image runs
    /// without further checks, and can do what this process can.
    pub unsafe fn new(public_key: [u8; 32]) -> Self {
        Self(PublicKey::new(public_key))
    }

    /// The image in front of a signature, if it is by this key.
    fn check<'a>(&self, signed: &'a [u8]) -> Result<&'a [u8]> {
        let (image, signature) = signed.split_at(whole(signed)? as usize);
        // `whole` has looked at the length and at the magic bytes.
        let Some((_, signature)) = signature.split_at_checked(SIGNATURE_MAGIC.len()) else {
            bail!("the image is not signed, and only images that a trusted key signed are loaded");
        };
        const { assert!(SIGNATURE == SIGNATURE_MAGIC.len() + 32 + 64) };
        let (key, signature) = signature.split_at(32);
        if key != &self.0[..] {
            bail!("the image is signed by another key than the trusted one");
        }
        let signature = Signature::from_slice(signature)
            .ok()
            .filter(|signature| self.0.verify(image, signature).is_ok());
        if signature.is_none() {
            bail!(
                "the signature is wrong: the image was changed after it was signed, or the signature was"
            );
        }
        Ok(image)
    }
}

impl Module {
    /// The module of an image that is signed by this key. The image is copied.
    ///
    /// This is safe: what it takes on trust was promised with [`TrustedKey::new`].
    ///
    /// # Errors
    /// As [`Module::deserialize`], and if the image is not signed, if it is signed by another key, or if the signature is
    /// not that of these bytes.
    pub fn deserialize_signed(
        engine: &Engine,
        image: impl AsRef<[u8]>,
        key: &TrustedKey,
    ) -> Result<Self> {
        // What is checked is the copy: nobody can change it in between.
        let bytes = Bytes::aligned(image.as_ref())?;
        key.check(&bytes)?;
        Self::of_image(engine, bytes)
    }

    /// The same for an image that lies in memory as long as the program runs. Nothing is copied.
    ///
    /// # Errors
    /// As [`Module::deserialize_signed`], and if the bytes do not begin at an address that is a multiple of 8.
    pub fn deserialize_signed_static(
        engine: &Engine,
        image: &'static [u8],
        key: &TrustedKey,
    ) -> Result<Self> {
        key.check(image)?;
        Self::of_image(engine, Bytes::Static(image))
    }
}
