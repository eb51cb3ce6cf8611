package media

import (
	"bytes"
	"encoding/binary"
	"image"
)

// header is what a file's headers say beside its size.
type header struct {
	orientation int  // 1 to 8, as Exif counts; 1 is upright
	progressive bool // a JPEG in several passes, which takes much more memory
}

func readHeader(format string, data []byte) header {
	h := header{orientation: 1}
	switch format {
	case "jpeg":
		var exif []byte
		exif, h.progressive = jpegSegments(data)
		h.orientation = orientation(exif)
	case "png":
		h.orientation = orientation(chunk(data[8:], "eXIf", binary.BigEndian, true))
	case "webp":
		exif := chunk(data[12:], "EXIF", binary.LittleEndian, false)
		h.orientation = orientation(bytes.TrimPrefix(exif, []byte("Exif\x00\x00")))
	}
	return h
}

// jpegSegments walks the segments before the picture itself, for the first
// Exif block and for the frame's kind.
//
// ITU-T T.81, annex B; Exif 2.32, section 4.5.4.
func jpegSegments(data []byte) (exif []byte, progressive bool) {
	for i := 2; i+4 <= len(data); {
		if data[i] != 0xff {
			return exif, progressive
		}
		marker := data[i+1]
		switch {
		case marker == 0xff: // padding
			i++
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd8: // stand alone
			i += 2
			continue
		case marker == 0xda || marker == 0xd9: // the picture begins, or ends
			return exif, progressive
		}
		length := int(binary.BigEndian.Uint16(data[i+2:]))
		if length < 2 || i+2+length > len(data) {
			return exif, progressive
		}
		body := data[i+4 : i+2+length]
		if rest, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok && marker == 0xe1 && exif == nil {
			exif = rest
		}
		progressive = progressive || marker == 0xc2
		i += 2 + length
	}
	return exif, progressive
}

// chunk finds the first chunk of that name: PNG puts the length before the
// name and a checksum after the data; RIFF (WebP) pads to even lengths.
func chunk(data []byte, name string, order binary.ByteOrder, png bool) []byte {
	for len(data) >= 8 {
		id, length := data[:4], order.Uint32(data[4:])
		if png {
			length, id = order.Uint32(data), data[4:8]
		}
		data = data[8:]
		if uint64(length) > uint64(len(data)) {
			return nil
		}
		if string(id) == name {
			return data[:length]
		}
		skip := uint64(length) + uint64(length&1)
		if png {
			skip = uint64(length) + 4
		}
		if skip > uint64(len(data)) {
			return nil
		}
		data = data[skip:]
	}
	return nil
}

// orientation reads tag 0x0112 from the first directory of a TIFF block, and
// is 1 for whatever does not make sense.
//
// TIFF 6.0, section 2; Exif 2.32, section 4.6.4.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
	default:
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := int(order.Uint16(tiff[at:]))
	directory := tiff[at+2:]
	for i := 0; i < entries && len(directory) >= 12; i++ {
		if order.Uint16(directory) == 0x0112 {
			if o := int(order.Uint16(directory[8:])); order.Uint16(directory[2:]) == 3 && o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		directory = directory[12:]
	}
	return 1
}

// upright undoes what the camera's position did to the picture.
func upright(img *image.RGBA, orientation int) *image.RGBA {
	if orientation < 2 || orientation > 8 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 { // lying on a side
		to = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			tx, ty := x, y
			switch orientation {
			case 2:
				tx = w - 1 - x
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				ty = h - 1 - y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			copy(to.Pix[ty*to.Stride+4*tx:][:4], img.Pix[y*img.Stride+4*x:][:4])
		}
	}
	return to
}
