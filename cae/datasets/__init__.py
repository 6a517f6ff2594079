"""Where images come from: Fashion-MNIST as verified arrays, and people's own pictures, one after another.

`fashion_mnist.fetch` returns the images and labels, uint8, of a training and a test part, and the names of
the classes; `stages/prepare.py` calls it. `layouts.opened` looks at a file or a folder and returns its
pictures as they are stored, whatever it is: a folder of images, MVTec AD, IDX, .npz, DICOM, NIfTI. `greys`,
`sizes` and `tiles` bring them to what a network takes, `sides` splits them.
"""
